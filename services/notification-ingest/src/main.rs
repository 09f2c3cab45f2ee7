//! The service as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use runtime::process::{self, ProcessArgs};

/// Accepts transcoder events over HTTP and SQS, refuses what is not genuine, and fans one result out.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    service: notification_ingest::Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { process, service } = settings::parse();
    process::run(process, |platform| async move { notification_ingest::start(service, &platform).await }).await
}
