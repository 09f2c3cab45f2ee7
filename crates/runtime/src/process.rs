//! The life of a service that runs as a process of its own.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use axum::Router;
use common::Names;

use crate::{
    Aws, Health, Shutdown,
    http::{self, Limits},
    metrics,
    telemetry::{self, TelemetryArgs},
};

/// Settings that every service has.
#[derive(Debug, Clone, clap::Args)]
pub struct ProcessArgs {
    /// Logging.
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
    /// Where to listen for HTTP.
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// How many connections are served at once.
    #[command(flatten)]
    pub connections: ConnectionArgs,
    /// What the names of queues and topics begin with.
    #[arg(long, env = "SEGUE_PREFIX", default_value = "segue", value_parser = prefix)]
    pub prefix: String,
    /// Seconds that work in hand may take to end when the process is told to stop.
    #[arg(long, env = "SEGUE_SHUTDOWN_SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub shutdown_seconds: u64,
    /// Start nothing: ask the process that listens there whether it is ready, or only whether it lives, and end with
    /// success if so. For health checks of containers.
    #[arg(long, value_name = "ready|live", num_args = 0..=1, require_equals = true, default_missing_value = "ready", hide_possible_values = true)]
    pub health: Option<Question>,
}

/// What a health check asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Question {
    /// Whether it can do its work, for which it needs others: for whoever sends it work.
    Ready,
    /// Whether it runs: for whoever starts it anew when it does not.
    Live,
}

/// The setting that bounds connections.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectionArgs {
    /// How many connections are served at once; further ones wait.
    #[arg(long, env = "SEGUE_MAX_CONNECTIONS", default_value_t = Limits::CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
}

impl ConnectionArgs {
    /// The limits that these settings and the system allow; raises the process's limit of open files.
    pub fn limits(&self) -> Limits {
        Limits::that_fit(self.max_connections)
    }
}

/// What a service is given to start with. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// Clients for S3, SQS, SNS and Elastic Transcoder.
    pub aws: Aws,
    /// The names of queues and topics.
    pub names: Names,
    /// The life of the process: tasks are spawned on it.
    pub shutdown: Shutdown,
    /// Readiness checks are added to it.
    pub health: Health,
}

/// Runs one service: starts it, serves the routes that it gives back, stops it at a signal.
pub async fn run<F, T>(args: ProcessArgs, start: F) -> ExitCode
where
    F: FnOnce(Platform) -> T,
    T: Future<Output = anyhow::Result<Router>>,
{
    if let Some(question) = args.health {
        return ask(args.listen, question).await;
    }
    match try_run(args, start).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(listen: SocketAddr, question: Question) -> ExitCode {
    let path = match question {
        Question::Ready => "/readyz",
        Question::Live => "/healthz",
    };
    match http_server::ask(listen, path).await {
        Ok(200) => return ExitCode::SUCCESS,
        Ok(status) => eprintln!("{path} on {listen} answers {status}"),
        Err(error) => eprintln!("{path} on {listen} does not answer: {error}"),
    }
    ExitCode::FAILURE
}

async fn try_run<F, T>(args: ProcessArgs, start: F) -> anyhow::Result<()>
where
    F: FnOnce(Platform) -> T,
    T: Future<Output = anyhow::Result<Router>>,
{
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
    metrics::install().context("cannot measure")?;
    let limits = args.connections.limits();
    let listener = http::bind(args.listen, "--listen (SEGUE_LISTEN)").await?;
    let address = listener.local_addr()?;
    let shutdown = Shutdown::new();
    let platform = Platform {
        aws: Aws::from_env().await,
        names: Names::new(args.prefix),
        shutdown: shutdown.clone(),
        health: Health::default(),
    };
    let health = platform.health.clone();
    let grace = Duration::from_secs(args.shutdown_seconds);
    let routes = tokio::select! {
        routes = start(platform) => routes?,
        stopped = shutdown.requested() => {
            stopped?;
            // If a task failed meanwhile, that is the reason, and the exit code says so.
            return shutdown.finish(grace).await;
        }
    };
    http::serve(&shutdown, "HTTP server", listener, http::finish(routes, &health), limits);
    health.started();
    tracing::info!(%address, "listening");
    shutdown.requested().await?;
    health.stopping();
    tracing::info!("stopping");
    shutdown.finish(grace).await
}

/// Queue names take letters, digits, `-` and `_`; 40 characters leave room for the longest name.
fn prefix(text: &str) -> Result<String, String> {
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if fits { Ok(text.to_owned()) } else { Err("use 1 to 40 of a-z, 0-9 and -, not beginning with -".to_owned()) }
}
