//! The transcoder as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use runtime::ProcessArgs;

/// Serves the Elastic Transcoder API (2012-09-25) and runs its jobs with ffmpeg.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    config: transcoder::Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { process, config } = settings::parse();
    runtime::process::run(process, |platform| async move { transcoder::start(config, &platform).await }).await
}
