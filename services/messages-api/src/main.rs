//! messages-api as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use messages_api::Config;
use runtime::ProcessArgs;

/// Keeps each user's notices: stores one when a file ends, lists, counts and pushes them.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    service: Config,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { process, service } = settings::parse();
    runtime::process::run(process, |platform| async move { messages_api::start(service, &platform).await }).await
}
