//! The settings of messages-api.

use std::time::Duration;

use clap::value_parser;
use database::DatabaseArgs;
use runtime::auth::AuthArgs;

/// Everything that can be set.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Where the notices are kept.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// The bounds of event streams.
    #[command(flatten)]
    pub streams: StreamArgs,
    /// How many results are handled at once.
    #[arg(long, env = "SEGUE_CONSUMER_CONCURRENCY", default_value_t = 10, value_parser = value_parser!(u16).range(1..=1000))]
    pub consumer_concurrency: u16,
}

/// The bounds of event streams.
#[derive(Debug, Clone, clap::Args)]
pub struct StreamArgs {
    /// The most event streams that are open at once. Each holds a connection: keep it well below
    /// SEGUE_MAX_CONNECTIONS, so that there is room to say no.
    #[arg(long, env = "SEGUE_MAX_STREAMS", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_streams: u32,
    /// The most event streams that one user has open at once.
    #[arg(long, env = "SEGUE_MAX_STREAMS_PER_USER", default_value_t = 10, value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_streams_per_user: u32,
    /// Milliseconds between looks for notices that another process stored for somebody connected here.
    #[arg(long, env = "SEGUE_STREAM_POLL_MS", default_value_t = 1000, value_parser = value_parser!(u32).range(20..=60_000))]
    pub stream_poll_ms: u32,
}

impl Default for StreamArgs {
    fn default() -> Self {
        Self { max_streams: 10_000, max_streams_per_user: 10, stream_poll_ms: 1000 }
    }
}

impl StreamArgs {
    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(u64::from(self.stream_poll_ms))
    }
}
