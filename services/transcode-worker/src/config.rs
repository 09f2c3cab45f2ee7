//! Settings.

use common::names;
use database::DatabaseArgs;
use runtime::aws::ApiKey;

/// What transcode-worker can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Its tables.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The name of the pipeline that takes the jobs.
    #[arg(long, env = "SEGUE_PIPELINE", default_value = "segue")]
    pub pipeline: String,
    /// The key that signs calls to the transcoder, ID:SECRET; the one for all of AWS when not given.
    #[arg(long, env = "SEGUE_TRANSCODER_KEY", hide_env_values = true)]
    pub transcoder_key: Option<ApiKey>,
    /// Where inputs lie in the bucket; requests for other objects are refused.
    #[arg(long, env = "SEGUE_INPUT_PREFIX", default_value = names::INPUT_PREFIX)]
    pub input_prefix: String,
    /// Where outputs go; it must not lie inside the input prefix, or outputs would become inputs.
    #[arg(long, env = "SEGUE_OUTPUT_PREFIX", default_value = names::OUTPUT_PREFIX)]
    pub output_prefix: String,
    /// How many requests are handled at once.
    #[arg(long, env = "SEGUE_WORKER_CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,
}
