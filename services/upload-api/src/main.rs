//! Runs upload-api as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use runtime::{ProcessArgs, process};

/// Takes files, streams them to S3 and keeps each file's state.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    service: upload_api::Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { process, service } = settings::parse();
    process::run(process, |platform| async move { upload_api::start(service, &platform).await }).await
}
