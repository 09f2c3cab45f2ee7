//! Runs transcode-worker as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use runtime::ProcessArgs;

/// Turns each transcode request into exactly one transcode job.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    service: transcode_worker::Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { process, service } = settings::parse();
    runtime::process::run(process, |platform| async move { transcode_worker::start(service, &platform).await }).await
}
