//! Logs: to standard error, so that a command's output stays its own.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, filter::ParseError};

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetryArgs {
    /// What to log: a level, or levels by module such as `info,sqlx=warn`. The S3 protocol library
    /// `s3s` logs each client's mistake as an error of its own, so it is off by default.
    #[arg(long = "log", env = "SEGUE_LOG", default_value = "info,s3s=off")]
    pub filter: String,
    /// How to write it.
    #[arg(long = "log-format", env = "SEGUE_LOG_FORMAT", default_value = "pretty")]
    pub format: Format,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// Starts logging. A second call, as in tests, changes nothing.
pub fn init(args: &TelemetryArgs) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&args.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only when a subscriber is there already.
    let _ = match args.format {
        Format::Pretty => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
