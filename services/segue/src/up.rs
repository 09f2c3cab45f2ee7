//! `segue up`: everything in one process, on files under one directory.

mod aws_side;
mod config;
mod product;

use std::{
    io::{Write, stdout},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use common::Names;
use runtime::{
    Aws, Health, Platform, Shutdown,
    http::{self, Limits},
    metrics,
    process::ConnectionArgs,
    telemetry::{self, TelemetryArgs},
};
use tokio::net::TcpListener;

use aws_side::AwsSide;

/// Where everything lies and listens.
#[derive(clap::Args)]
pub struct UpArgs {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    /// Where all data is kept; made at the first start.
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Where the product listens for HTTP.
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where S3, SQS, SNS and Elastic Transcoder listen.
    #[arg(long, env = "SEGUE_AWS_LISTEN", default_value = "127.0.0.1:4566")]
    aws_listen: SocketAddr,
    #[command(flatten)]
    connections: ConnectionArgs,
    /// Seconds that work in hand may take to end when the process is told to stop.
    #[arg(long, env = "SEGUE_SHUTDOWN_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3600))]
    shutdown_seconds: u64,
}

/// Runs until a signal comes or a part fails.
pub async fn run(args: UpArgs) -> anyhow::Result<()> {
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
    metrics::install().context("cannot measure")?;
    let limits = args.connections.limits();
    let listener = http::bind(args.listen, "--listen (SEGUE_LISTEN)").await?;
    let aws_listener = http::bind(args.aws_listen, "--aws-listen (SEGUE_AWS_LISTEN)").await?;
    let aws_side = AwsSide::open(&args.data_dir.join("aws"), &aws_listener)?;
    let platform = Platform {
        aws: Aws::local(&aws_side.endpoint()),
        names: Names::new("segue"),
        shutdown: Shutdown::new(),
        health: Health::default(),
    };
    // The AWS side stops after the services: they need it to finish what they have in hand.
    let aws_life = Shutdown::new();
    aws_side.serve(&aws_life, aws_listener, limits);
    let result = serve(&args, &platform, &aws_side, (listener, limits), &aws_life).await;
    platform.health.stopping();
    let stopped = platform.shutdown.finish(Duration::from_secs(args.shutdown_seconds)).await;
    let aws_stopped = aws_life.finish(Duration::from_secs(1)).await;
    result.and(stopped).and(aws_stopped)
}

async fn serve(
    args: &UpArgs,
    platform: &Platform,
    aws_side: &AwsSide,
    (listener, limits): (TcpListener, Limits),
    aws_life: &Shutdown,
) -> anyhow::Result<()> {
    let shutdown = &platform.shutdown;
    let routes = tokio::select! {
        routes = product::start(&args.data_dir, platform, aws_side) => routes?,
        stopped = shutdown.requested() => return Ok(stopped?),
    };
    let address = listener.local_addr()?;
    http::serve(shutdown, "product", listener, http::finish(routes, &platform.health), limits);
    platform.health.started();
    // Nobody reads it: no reason to stop.
    if let Err(error) = announce(args, address, aws_side) {
        tracing::warn!(%error, "cannot write to standard output");
    }
    tokio::select! {
        stopped = shutdown.requested() => Ok(stopped?),
        () = aws_life.intake().cancelled_owned() => Ok(()),
    }
}

/// What a person, or a script, needs to go on. Scripts read it from standard output.
fn announce(args: &UpArgs, address: SocketAddr, aws_side: &AwsSide) -> std::io::Result<()> {
    let mut out = stdout();
    writeln!(out, "Segue is ready; its data lies in {}.", args.data_dir.display())?;
    writeln!(out, "product   http://{address}")?;
    writeln!(out, "AWS side  {}", aws_side.endpoint().url)?;
    writeln!(out, "{}", aws_side.exports().trim_end())
}
