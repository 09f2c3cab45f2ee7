//! The `segue` command.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    segue::run(segue::Cli::parse()).await
}
