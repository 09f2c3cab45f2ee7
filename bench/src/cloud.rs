//! A cloud to measure, as a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

use crate::process::Process;

/// Killed when it goes out of scope.
pub struct Cloud {
    process: Process,
    endpoint: String,
    key: (String, String),
}

impl Cloud {
    /// The `local-cloud` that was built beside this program.
    pub fn local(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("local-cloud");
        let mut command = Command::new(&program);
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(data).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command)?;
        let output = BufReader::new(process.0.stdout.take().context("no output")?);
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
        Ok(Self { process, endpoint: endpoint.context("local-cloud printed no endpoint")?, key })
    }

    /// A moto server.
    pub async fn moto(program: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut command)?;
        let key = ("test".to_owned(), "test".to_owned());
        let this = Self { process, endpoint: format!("http://127.0.0.1:{port}"), key };
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

    /// Where it is reached.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    /// Id and secret of the key that it accepts.
    pub fn key(&self) -> (&str, &str) {
        (&self.key.0, &self.key.1)
    }

    /// The processor time that the process has used so far, in seconds.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        Ok(self.process.processor()?.as_secs_f64())
    }

    /// Resident memory now.
    pub fn resident_mib(&self) -> anyhow::Result<u64> {
        self.process.memory_mib("VmRSS:")
    }

    /// Resident memory at its highest.
    pub fn peak_mib(&self) -> anyhow::Result<u64> {
        self.process.memory_mib("VmHWM:")
    }
}
