//! Measures local-cloud, the transcoder and notification-ingest, and what it is measured against, in one run on one machine.
//!
//! `cargo build --release --workspace --bins && target/release/bench` prints a line for each figure.
//! With `--moto PATH/moto_server` the queue is measured on moto too; `--large` adds the start-up over
//! 100,000 messages and 100,000 objects, which takes minutes to fill.

mod cloud;
mod ingest;
mod lean;
mod objects;
mod process;
mod queue;
mod recovery;
mod transcode;

use std::path::PathBuf;

use clap::Parser;

use cloud::Cloud;

/// Measures local-cloud.
#[derive(Parser)]
struct Args {
    /// The program `moto_server`, to measure beside it.
    #[arg(long)]
    moto: Option<PathBuf>,
    /// Also measures how long a start takes over much data.
    #[arg(long)]
    large: bool,
    /// Measures the transcoder instead, beside plain ffmpeg.
    #[arg(long)]
    transcode: bool,
    /// Measures notification-ingest instead, beside OpenSSL.
    #[arg(long)]
    ingest: bool,
    /// Where data directories are made; a file system in memory would measure nothing.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let directory = tempfile::tempdir_in(args.dir.canonicalize()?)?;
    if args.transcode {
        return transcode::measure(directory.path()).await;
    }
    if args.ingest {
        return ingest::measure(directory.path()).await;
    }
    let cloud = Cloud::local(&directory.path().join("data"))?;
    line("idle memory", &format!("{} MiB", cloud.resident_mib()?), "≤ 20 MiB");
    queue::measure("local-cloud", &cloud, "≥ 3,000/s").await?;
    queue::measure_lean(&cloud).await?;
    queue::wake(&cloud).await?;
    objects::throughput(&cloud, directory.path()).await?;
    objects::throughput_together(&cloud, directory.path()).await?;
    drop(cloud);
    let cloud = Cloud::local(&directory.path().join("parts"))?;
    objects::parts(&cloud).await?;
    drop(cloud);
    if let Some(program) = &args.moto {
        let moto = Cloud::moto(program).await?;
        queue::measure("moto", &moto, "").await?;
    }
    if args.large {
        recovery::measure(&directory.path().join("large")).await?;
    }
    Ok(())
}

/// One figure, beside what it should be.
#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn line(what: &str, figure: &str, wanted: &str) {
    println!("{what:<58} {figure:<28} {wanted}");
}
