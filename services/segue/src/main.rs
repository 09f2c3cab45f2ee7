//! The `segue` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    segue::run(settings::parse()).await
}
