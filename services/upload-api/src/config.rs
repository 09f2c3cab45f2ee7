//! Settings.

use clap::value_parser;
use database::DatabaseArgs;
use runtime::auth::AuthArgs;
use url::Url;

use crate::storage::MOST_BYTES;

/// The settings of upload-api.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// The bucket for inputs and outputs; `{prefix}-media` when nothing is said.
    #[arg(long, env = "SEGUE_BUCKET")]
    pub bucket: Option<String>,
    /// The largest file that is taken, in bytes: up to 240,000 MiB, the most that S3's 10,000 parts
    /// hold within the memory of one upload.
    #[arg(long, env = "SEGUE_MAX_UPLOAD_BYTES", default_value_t = Config::MAX_UPLOAD_BYTES, value_parser = value_parser!(u64).range(1..=MOST_BYTES))]
    pub max_upload_bytes: u64,
    /// How many bodies are taken at once; each needs up to 48 MiB of memory. Others get 503.
    #[arg(long, env = "SEGUE_UPLOADS_AT_ONCE", default_value_t = Config::UPLOADS_AT_ONCE, value_parser = value_parser!(u32).range(1..=10_000))]
    pub uploads_at_once: u32,
    /// How many bodies of one user are taken at once. Others get 429.
    #[arg(long, env = "SEGUE_UPLOADS_PER_USER", default_value_t = Config::UPLOADS_PER_USER, value_parser = value_parser!(u32).range(1..=10_000))]
    pub uploads_per_user: u32,
    /// The bytes a second that a body must come at, taken over all of it after the first minute.
    #[arg(long, env = "SEGUE_BODY_MIN_RATE", default_value_t = Config::BODY_MIN_RATE, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub body_min_rate: u64,
    /// Seconds without a byte after which a body is given up.
    #[arg(long, env = "SEGUE_BODY_IDLE_SECONDS", default_value_t = Config::BODY_IDLE_SECONDS, value_parser = value_parser!(u64).range(1..=3600))]
    pub body_idle_seconds: u64,
    /// Seconds for which a download link works (S3 allows 7 days at most).
    #[arg(long, env = "SEGUE_PRESIGN_SECONDS", default_value_t = Config::PRESIGN_SECONDS, value_parser = value_parser!(u64).range(1..=604_800))]
    pub presign_seconds: u64,
    /// Where clients reach S3, when that is not where this service reaches it: download links point there.
    #[arg(long, env = "SEGUE_S3_PUBLIC_ENDPOINT")]
    pub s3_public_endpoint: Option<Url>,
}

impl Config {
    /// The default of `max_upload_bytes`: 5 GiB.
    pub const MAX_UPLOAD_BYTES: u64 = 5 * 1024 * 1024 * 1024;
    /// The default of `uploads_at_once`.
    pub const UPLOADS_AT_ONCE: u32 = 32;
    /// The default of `uploads_per_user`.
    pub const UPLOADS_PER_USER: u32 = 8;
    /// The default of `body_min_rate`: far below any line that a file is sent over.
    pub const BODY_MIN_RATE: u64 = 1024;
    /// The default of `body_idle_seconds`.
    pub const BODY_IDLE_SECONDS: u64 = 60;
    /// The default of `presign_seconds`: a quarter of an hour.
    pub const PRESIGN_SECONDS: u64 = 900;

    /// Defaults for everything but the database and the issuer.
    #[must_use]
    pub const fn new(database: DatabaseArgs, auth: AuthArgs) -> Self {
        Self {
            database,
            auth,
            bucket: None,
            max_upload_bytes: Self::MAX_UPLOAD_BYTES,
            uploads_at_once: Self::UPLOADS_AT_ONCE,
            uploads_per_user: Self::UPLOADS_PER_USER,
            body_min_rate: Self::BODY_MIN_RATE,
            body_idle_seconds: Self::BODY_IDLE_SECONDS,
            presign_seconds: Self::PRESIGN_SECONDS,
            s3_public_endpoint: None,
        }
    }
}
