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
    process: Process,
    endpoint: String,
    key: (String, String),
}

/// A child that ends with its owner, also when it never came to be a [`Cloud`].
struct Process(Child);

/// What `/proc/PID/stat` counts processor time in: hundredths of a second, on every architecture that Linux runs
/// on today (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS: f64 = 100.0;

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
        let path = format!("/proc/{}/stat", self.process.0.id());
        let stat = std::fs::read_to_string(&path).with_context(|| path)?;
        // The name of the program, in brackets, may hold anything; user and system time are the 12th and 13th behind it.
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / TICKS)
    }

    /// Resident memory now.
    pub fn resident_mib(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// Resident memory at its highest.
    pub fn peak_mib(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/status", self.process.0.id());
        let status = std::fs::read_to_string(&path).with_context(|| path)?;
        let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        ensure!(kib > 0, "the process has ended");
        Ok(kib / 1024)
    }
}

impl Process {
    fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let program = command.get_program().to_owned();
        Ok(Self(command.spawn().with_context(|| format!("cannot start {}", program.display()))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
