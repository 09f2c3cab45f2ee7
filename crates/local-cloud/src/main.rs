//! `local-cloud`: a durable S3, SQS and SNS for one machine, as a process of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use http_server::Limits;
use local_cloud::{AccessKey, LocalCloud, Settings};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing_subscriber::EnvFilter;

/// How long requests in hand may take once a stop is asked for.
const DRAIN: Duration = Duration::from_secs(10);

/// A durable S3, SQS and SNS for one machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where everything is kept; made when it is not there.
    #[arg(long, env = "SEGUE_LOCAL_CLOUD_DATA_DIR")]
    data_dir: PathBuf,
    /// The address to listen on.
    #[arg(long, env = "SEGUE_LOCAL_CLOUD_LISTEN", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// Where clients reach this process, as in queue URLs [default: http://LISTEN].
    #[arg(long, env = "SEGUE_LOCAL_CLOUD_PUBLIC_ENDPOINT")]
    public_endpoint: Option<String>,
    /// The one region there is.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// A key that may sign requests, as ID:SECRET; repeatable. Without any, one is made at the first
    /// start and kept in the data directory.
    #[arg(
        long,
        env = "SEGUE_LOCAL_CLOUD_ACCESS_KEYS",
        value_name = "ID:SECRET",
        value_delimiter = ',',
        hide_env_values = true
    )]
    access_key: Vec<AccessKey>,
    /// A file with such keys, one a line, so that no secret need stand in a list of processes.
    #[arg(long, env = "SEGUE_LOCAL_CLOUD_ACCESS_KEYS_FILE", value_name = "FILE")]
    access_keys_file: Option<PathBuf>,
    /// Bytes of the disk to leave free: what would grow is refused before they are touched.
    #[arg(long, env = "SEGUE_LOCAL_CLOUD_MIN_FREE_BYTES", default_value_t = Settings::MIN_FREE_BYTES)]
    min_free_bytes: u64,
    /// Start nothing: ask the process that listens there whether it answers, and end with success if so. For
    /// health checks of containers.
    #[arg(long)]
    health: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    // s3s logs each client's error as an error of the server's.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,s3s=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments: Arguments = settings::parse();
    let result = if arguments.health { ask(arguments.listen).await } else { run(arguments).await };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(listen: SocketAddr) -> anyhow::Result<()> {
    let status = http_server::ask(listen, "/healthz").await.with_context(|| format!("{listen} does not answer"))?;
    anyhow::ensure!(status == 200, "{listen} answers {status}");
    Ok(())
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let signals = Signals::catch()?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    let mut access_keys = arguments.access_key;
    if let Some(file) = &arguments.access_keys_file {
        access_keys.extend(keys_in(file)?);
    }
    let settings = Settings {
        region: arguments.region,
        access_keys,
        min_free_bytes: arguments.min_free_bytes,
        public_endpoint: arguments.public_endpoint.unwrap_or_else(|| format!("http://{address}")),
        ..Settings::new(arguments.data_dir)
    };
    let cloud = LocalCloud::open(settings)?;
    announce(&format!("local-cloud listens on http://{address}\n{}", cloud.exports()))?;
    serve(listener, cloud.router(), signals).await;
    Ok(())
}

/// The keys of a file; empty lines and those that begin with `#` are passed over.
fn keys_in(file: &Path) -> anyhow::Result<Vec<AccessKey>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys =
        lines.map(|(number, line)| line.parse().with_context(|| format!("line {} of {}", number + 1, file.display())));
    let keys: Vec<AccessKey> = keys.collect::<anyhow::Result<_>>()?;
    // To make a key of one's own instead would open another door than the one that was meant.
    anyhow::ensure!(!keys.is_empty(), "{} holds no access key", file.display());
    Ok(keys)
}

/// Serves until a signal, then lets what is in hand finish, within bounds.
async fn serve(listener: TcpListener, router: axum::Router, mut signals: Signals) {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut server =
        std::pin::pin!(http_server::serve(listener, router, Limits::that_fit(Limits::CONNECTIONS), async move {
            // An error means that the sender is gone: that is the sign.
            let _ = stopped.await;
        }));
    tokio::select! {
        () = &mut server => {}
        () = signals.next() => {
            drop(stop);
            // What is still running after that is dropped.
            let _ = tokio::time::timeout(DRAIN, server).await;
        }
    }
}

/// Caught from the moment this is made; before that, a signal ends the process at once.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn announce(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
