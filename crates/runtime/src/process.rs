//! The life of a service that runs as a process of its own.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context;
use axum::Router;
use common::Names;

use crate::{
    Aws, Health, Shutdown,
    http::{self, Limits},
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
}

/// The setting that bounds connections.
#[derive(Debug, Clone, clap::Args)]
pub struct ConnectionArgs {
    /// How many connections are served at once; further ones wait.
    #[arg(long, env = "SEGUE_MAX_CONNECTIONS", default_value_t = Limits::CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
}

impl ConnectionArgs {
    /// Lets the process open as many files and connections as the system allows, and gives the limits
    /// that fit: each of two listeners gets a third of the descriptors, files and queues the rest.
    pub fn limits(&self) -> Limits {
        let fit = u32::try_from(raise_open_files() / 3).unwrap_or(u32::MAX).max(1);
        if fit < self.max_connections && self.max_connections != Limits::CONNECTIONS {
            tracing::warn!(connections = fit, "the limit of open files allows fewer connections than asked for");
        }
        Limits { connections: self.max_connections.min(fit), ..Limits::default() }
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
    match try_run(args, start).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn try_run<F, T>(args: ProcessArgs, start: F) -> anyhow::Result<()>
where
    F: FnOnce(Platform) -> T,
    T: Future<Output = anyhow::Result<Router>>,
{
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
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

/// The most files that macOS lets one process open.
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit of open files to the hard one and gives it back: the usual soft limit of
/// 1024 is a relic of `select(2)`.
fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raise = |current| setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    // macOS takes no soft limit above OPEN_MAX (setrlimit(2) there).
    let open_max = Some(limit.maximum.map_or(OPEN_MAX, |maximum| maximum.min(OPEN_MAX)));
    if let Err(error) = raise(limit.maximum).or_else(|_| raise(open_max)) {
        tracing::warn!(%error, soft = limit.current, "cannot raise the limit of open files");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Queue names take letters, digits, `-` and `_`; 40 characters leave room for the longest name.
fn prefix(text: &str) -> Result<String, String> {
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if fits { Ok(text.to_owned()) } else { Err("use 1 to 40 of a-z, 0-9 and -, not beginning with -".to_owned()) }
}
