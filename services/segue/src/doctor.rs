//! `segue doctor`: looks at a running system from outside, changes nothing, and says what to do.

mod messaging;
mod report;
mod surroundings;

use std::{io::stdout, path::PathBuf};

use anyhow::{Context, ensure};
use common::Names;
use database::DatabaseUrl;
use runtime::{
    Aws,
    aws::ApiKey,
    telemetry::{self, TelemetryArgs},
};
use url::Url;

use report::Report;

/// What to look at. What is not given is not looked at, but for names, which have their defaults.
#[derive(clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    /// What the names of queues and topics begin with.
    #[arg(long, env = "SEGUE_PREFIX", default_value = "segue")]
    prefix: String,
    /// The bucket; `{prefix}-media` when not given.
    #[arg(long, env = "SEGUE_BUCKET")]
    bucket: Option<String>,
    /// The bucket through which transcoders share segments.
    #[arg(long, env = "SEGUE_TRANSCODER_SHARE_BUCKET")]
    share_bucket: Option<String>,
    /// The name of the pipeline.
    #[arg(long, env = "SEGUE_PIPELINE", default_value = "segue")]
    pipeline: String,
    /// The key that signs calls to the transcoder, ID:SECRET; the one for all of AWS when not given.
    #[arg(long, env = "SEGUE_TRANSCODER_KEY", hide_env_values = true)]
    transcoder_key: Option<ApiKey>,
    /// A database of the services.
    #[arg(long, env = "SEGUE_DATABASE_URL", hide_env_values = true)]
    database_url: Option<DatabaseUrl>,
    /// Where the public keys of tokens are.
    #[arg(long, env = "SEGUE_JWKS_URL")]
    jwks_url: Option<Url>,
    /// The ffmpeg program of a transcoder on this machine.
    #[arg(long, env = "SEGUE_FFMPEG")]
    ffmpeg: Option<PathBuf>,
    /// The ffprobe program of a transcoder on this machine.
    #[arg(long, env = "SEGUE_FFPROBE")]
    ffprobe: Option<PathBuf>,
    /// Where a service listens; repeatable.
    #[arg(long = "service", value_name = "URL")]
    services: Vec<Url>,
}

/// Prints one line for each thing that was looked at. Fails if one of them is bad.
pub async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
    let aws = Aws::from_env().await.signing_to_transcoder_with(args.transcoder_key.as_ref());
    let mut report = Report::default();
    surroundings::clock(&mut report, &aws).await;
    examine_aws(&mut report, &aws, &args).await;
    if let Some(url) = &args.database_url {
        surroundings::database(&mut report, url).await;
    }
    if let Some(url) = &args.jwks_url {
        surroundings::keys(&mut report, url).await;
    }
    for program in [&args.ffmpeg, &args.ffprobe].into_iter().flatten() {
        surroundings::program(&mut report, program).await;
    }
    for url in &args.services {
        surroundings::service(&mut report, url).await;
    }
    report.write(&mut stdout().lock())?;
    let bad = report.count_bad();
    ensure!(bad == 0, "{bad} of what was looked at is not as it should be");
    Ok(())
}

async fn examine_aws(report: &mut Report, aws: &Aws, args: &DoctorArgs) {
    let names = Names::new(&args.prefix);
    let bucket = args.bucket.clone().unwrap_or_else(|| names.bucket());
    messaging::bucket(report, aws, &bucket).await;
    if let Some(bucket) = &args.share_bucket {
        messaging::bucket(report, aws, bucket).await;
    }
    for name in common::names::QUEUES {
        messaging::queue(report, aws, &names, name).await;
    }
    messaging::subscriptions(report, aws, &names).await;
    messaging::pipeline(report, aws, &args.pipeline).await;
}
