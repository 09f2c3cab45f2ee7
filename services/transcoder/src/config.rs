//! The settings of this service.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use database::DatabaseArgs;
use sigv4::AccessKeys;

use crate::engine::Limits;

const GIB: u64 = 1024 * 1024 * 1024;

/// Settings of the transcoder.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Its tables.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Access keys that may call the API: `ID:SECRET`, several with commas.
    #[arg(long, env = "SEGUE_ACCESS_KEYS", hide_env_values = true)]
    pub access_keys: AccessKeys,
    /// The account in ARNs: twelve digits.
    #[arg(long, env = "SEGUE_ACCOUNT", default_value = "000000000000", value_parser = account)]
    pub account: String,
    /// For how many days a finished job can be read; then it is deleted.
    #[arg(long, env = "SEGUE_TRANSCODER_KEEP_JOBS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub keep_jobs: u32,
    /// Tell a pipeline's topic for Progressing every few seconds how far a running job is. Programs that were written for
    /// Elastic Transcoder expect one such message for each job.
    #[arg(long, env = "SEGUE_TRANSCODER_PUBLISH_PROGRESS")]
    pub publish_progress: bool,
    /// How much clients may keep here.
    #[command(flatten)]
    pub quotas: Quotas,
    /// Running jobs.
    #[command(flatten)]
    pub engine: EngineConfig,
}

/// How much clients may keep here; more is a LimitExceededException.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Quotas {
    /// The most pipelines; Elastic Transcoder had 4.
    #[arg(long = "max-pipelines", env = "SEGUE_TRANSCODER_MAX_PIPELINES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub pipelines: u32,
    /// The most custom presets; Elastic Transcoder had 50.
    #[arg(long = "max-presets", env = "SEGUE_TRANSCODER_MAX_PRESETS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub presets: u32,
    /// The most jobs of one pipeline that wait, as Elastic Transcoder had it.
    #[arg(long = "max-queued-jobs", env = "SEGUE_TRANSCODER_MAX_QUEUED_JOBS", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub queued_jobs: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { pipelines: 100, presets: 1000, queued_jobs: 1_000_000 }
    }
}

/// Settings for running jobs.
#[derive(Debug, Clone, clap::Args)]
pub struct EngineConfig {
    /// The ffmpeg program: a path, or a name to be found in PATH.
    #[arg(long, env = "SEGUE_FFMPEG", default_value = "ffmpeg")]
    pub ffmpeg: PathBuf,
    /// The ffprobe program: a path, or a name to be found in PATH.
    #[arg(long, env = "SEGUE_FFPROBE", default_value = "ffprobe")]
    pub ffprobe: PathBuf,
    /// Where files lie while they are worked on; the system's directory for temporary files by default.
    #[arg(long, env = "SEGUE_SCRATCH_DIR")]
    pub scratch_dir: Option<PathBuf>,
    /// How many jobs run at once; as many as there are cores by default.
    #[arg(long, env = "SEGUE_TRANSCODER_JOBS")]
    pub jobs: Option<NonZeroUsize>,
    /// How many encoders run at once, for all jobs together; as many as there are cores by default.
    #[arg(long, env = "SEGUE_TRANSCODER_ENCODERS")]
    pub encoders: Option<NonZeroUsize>,
    /// A bucket through which processes with the same tables encode segments of each other's long jobs. Without it
    /// each job stays with one process.
    #[arg(long, env = "SEGUE_TRANSCODER_SHARE_BUCKET")]
    pub share_bucket: Option<String>,
    /// Files and directories that ffmpeg may read beside itself and the system's libraries, several with commas: where
    /// an ffmpeg of another origin has its own (Linux only).
    #[arg(long, env = "SEGUE_TRANSCODER_READABLE", value_delimiter = ',')]
    pub readable: Vec<PathBuf>,
    /// The most bytes of an input.
    #[arg(long, env = "SEGUE_TRANSCODER_MAX_INPUT_BYTES", default_value_t = 5 * GIB)]
    pub max_input_bytes: u64,
    /// The most bytes of one output.
    #[arg(long, env = "SEGUE_TRANSCODER_MAX_OUTPUT_BYTES", default_value_t = 64 * GIB)]
    pub max_output_bytes: u64,
    /// The most bytes that the files of all running jobs may have together.
    #[arg(long, env = "SEGUE_TRANSCODER_MAX_SCRATCH_BYTES", default_value_t = 64 * GIB)]
    pub max_scratch_bytes: u64,
    /// The most memory that one ffmpeg may map, in bytes (Linux only).
    #[arg(long, env = "SEGUE_TRANSCODER_MAX_MEMORY_BYTES", default_value_t = 4 * GIB, value_parser = clap::value_parser!(u64).range(256 * 1024 * 1024..))]
    pub max_memory_bytes: u64,
    /// The most seconds that one ffmpeg may run.
    #[arg(long, env = "SEGUE_TRANSCODER_MAX_SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub max_seconds: u64,
}

impl EngineConfig {
    /// The bounds of one job.
    pub fn limits(&self) -> Limits {
        Limits {
            input_bytes: self.max_input_bytes,
            output_bytes: self.max_output_bytes.min(self.max_scratch_bytes),
            memory_bytes: self.max_memory_bytes,
            time: Duration::from_secs(self.max_seconds),
        }
    }

    /// The scratch directory.
    pub fn scratch_dir(&self) -> PathBuf {
        self.scratch_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("segue-transcoder"))
    }

    /// How many jobs run at once.
    pub fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(cores).get()
    }

    /// How many encoders run at once.
    pub fn encoders(&self) -> usize {
        self.encoders.unwrap_or_else(cores).get()
    }
}

/// Those that this process may use.
fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn account(text: &str) -> Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("use twelve digits".to_owned()) }
}
