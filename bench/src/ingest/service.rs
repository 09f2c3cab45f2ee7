//! The service under measurement, on one core, with a local cloud for its queue and topic.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;

use super::{
    client::Report,
    fake_sns::{FakeSns, TOPIC},
};
use crate::{cloud::Cloud, line, process::Process};

/// The core that belongs to the service; everything else keeps off as far as the system lets it.
const CORE: &str = "0";

/// A running notification-ingest.
pub struct Service {
    process: Process,
    address: String,
    _cloud: Cloud,
}

impl Service {
    /// Starts it, and waits until it is ready.
    pub async fn start(directory: &Path, sns: &FakeSns) -> anyhow::Result<Self> {
        let cloud = Cloud::local(&directory.join("cloud"))?;
        let sqs = cloud.sqs();
        let names = ["transcoder-events", "results-webhooks"].map(|name| format!("segue-{name}"));
        let names = names.iter().flat_map(|name| [name.clone(), format!("{name}-dlq")]);
        try_join_all(names.map(|name| sqs.create_queue().queue_name(name).send())).await?;
        let topics = aws_sdk_sns::Client::new(&cloud.config());
        topics.create_topic().name("segue-results").send().await?;
        let keys = directory.join("jwks.json");
        std::fs::write(&keys, r#"{"keys":[]}"#)?;
        let address = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (id, secret) = cloud.key();
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", CORE]).arg(std::env::current_exe()?.with_file_name("notification-ingest"));
        command.args(["--log", "error", "--listen", &address, "--sns-local-endpoint", sns.endpoint()]);
        command.args(["--jwt-issuer", "bench", "--sns-topic-arns", TOPIC]);
        command.arg("--jwks-url").arg(format!("file://{}", keys.display()));
        command.arg("--database-url").arg(format!("sqlite://{}", directory.join("ingest.sqlite").display()));
        command.envs([("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_REGION", "us-east-1")]);
        command.env("AWS_ENDPOINT_URL", cloud.endpoint()).stdout(Stdio::null());
        let process = Process::spawn(&mut command).context("taskset is part of util-linux")?;
        let this = Self { process, address, _cloud: cloud };
        this.wait().await?;
        Ok(this)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(&self.address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("notification-ingest does not answer")
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A post of SNS, to the last byte.
    pub fn post(&self, message: &str) -> Vec<u8> {
        let head = format!(
            "POST /v1/notifications/sns HTTP/1.1\r\nhost: {}\r\nx-amz-sns-message-type: Notification\r\n\
             x-amz-sns-topic-arn: {TOPIC}\r\ncontent-type: text/plain; charset=UTF-8\r\ncontent-length: {}\r\n\
             user-agent: Amazon Simple Notification Service Agent\r\n\r\n",
            self.address,
            message.len()
        );
        (head + message).into_bytes()
    }

    /// Prints rate and times, unless the service has ended.
    pub fn told(&self, what: &str, report: &Report, wanted: &str) -> anyhow::Result<()> {
        ensure!(self.process.memory_mib("VmRSS:")? > 0, "the service has ended");
        line(what, &report.times(), wanted);
        Ok(())
    }
}
