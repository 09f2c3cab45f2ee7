//! `segue up` as a child process.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    api::Api,
    binaries::{self, Process},
};

/// A running `segue up`.
pub struct Up {
    pub process: Process,
    pub url: String,
}

impl Up {
    /// Starts it on free ports over `data`, and waits until it says that it is ready.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same, with further settings in its environment.
    pub fn start_with(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_logging(data, settings, Stdio::inherit())
    }

    /// The same, with its log somewhere else.
    pub fn start_logging(data: &Path, settings: &[(&str, &str)], log: impl Into<Stdio>) -> Self {
        let mut child = Command::new(binaries::path("segue"))
            .args(["up", "--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            // A proxy is no way to this machine's loopback: nothing may ask it.
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("http_proxy", "http://127.0.0.1:9")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("segue runs");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let process = Process(child);
        let mut url = None;
        for line in output.lines() {
            let line = line.expect("its output is text");
            if let Some(address) = line.strip_prefix("product") {
                url = Some(address.trim().to_owned());
            }
            if line.starts_with("export AWS_ENDPOINT_URL") {
                break;
            }
        }
        Self { process, url: url.expect("segue up says where the product listens") }
    }

    /// The product as `user` sees it.
    pub fn api(&self, data: &Path, user: &str) -> Api {
        let output = Command::new(binaries::path("segue"))
            .args(["token", user, "--data-dir"])
            .arg(data)
            .output()
            .expect("segue token runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).expect("a token is text");
        Api::new(&self.url, token.trim())
    }

    /// Resident memory, in MiB: now and at its highest.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let mib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("a line of that name");
            let kib = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
            kib.expect("a number of KiB") / 1024
        };
        (mib("VmRSS:"), mib("VmHWM:"))
    }
}
