//! A cloud to measure, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// Killed when it goes out of scope.
pub struct Cloud {
    child: Child,
    endpoint: String,
    key: (String, String),
}

impl Cloud {
    /// The `local-cloud` that was built beside this program.
    pub fn local(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("local-cloud");
        let mut command = Command::new(&program);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let (mut id, mut secret, mut endpoint) = (None, None, None);
        for line in output.lines() {
            let line = line?;
            let value = |name: &str| line.strip_prefix(&format!("export {name}=")).map(str::to_owned);
            id = id.or(value("AWS_ACCESS_KEY_ID"));
            secret = secret.or(value("AWS_SECRET_ACCESS_KEY"));
            endpoint = value("AWS_ENDPOINT_URL");
            if endpoint.is_some() {
                break;
            }
        }
        let key = id.zip(secret).context("local-cloud printed no key")?;
        Ok(Self { child, endpoint: endpoint.context("local-cloud printed no endpoint")?, key })
    }

    /// A moto server.
    pub async fn moto(program: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let key = ("test".to_owned(), "test".to_owned());
        let this = Self { child, endpoint: format!("http://127.0.0.1:{port}"), key };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(this);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("moto does not answer")
    }

    /// What a client needs; clients do not try again, so that errors show.
    pub fn config(&self) -> SdkConfig {
        let key = Credentials::new(&self.key.0, &self.key.1, None, None, "bench");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(key))
            .retry_config(RetryConfig::disabled())
            .build()
    }

    /// A client for objects.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// A client for queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config())
    }

    /// Resident memory now.
    pub fn resident_mib(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// Resident memory at its highest.
    pub fn peak_mib(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its access key and secret.
    pub fn key(&self) -> (&str, &str) {
        (&self.key.0, &self.key.1)
    }

    fn memory(&self, name: &str) -> anyhow::Result<u64> {
        memory_mib(self.child.id(), name)
    }
}

/// A line of a process's `status` (proc(5)).
pub fn memory_mib(process: u32, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| path)?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    ensure!(kib > 0, "the process has ended");
    Ok(kib / 1024)
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
