//! `segue provision`: everything that the services expect, on whatever endpoint the SDK points to.

use std::{
    io::{Write, stdout},
    time::Duration,
};

use anyhow::{Context, anyhow};
use aws_sdk_elastictranscoder::{
    Client,
    error::ProvideErrorMetadata,
    types::{Notifications, Pipeline},
};
use common::Names;
use runtime::{
    Aws,
    aws::ApiKey,
    provision::{Provisioned, create_bucket, provision},
    telemetry::{self, TelemetryArgs},
};
use sdk_error::brief;
use tokio::time::{Instant, sleep};

/// How long to wait for a transcoder that is still starting.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);
/// Pages of ListPipelines that are read; AWS allowed four pipelines in all.
const MAX_PAGES: usize = 100;

/// What to make, and under which names.
#[derive(clap::Args)]
pub struct ProvisionArgs {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    /// What the names of queues and topics begin with.
    #[arg(long, env = "SEGUE_PREFIX", default_value = "segue")]
    prefix: String,
    /// The bucket; `{prefix}-media` when not given.
    #[arg(long, env = "SEGUE_BUCKET")]
    bucket: Option<String>,
    /// The bucket through which transcoders share segments; none when not given.
    #[arg(long, env = "SEGUE_TRANSCODER_SHARE_BUCKET")]
    share_bucket: Option<String>,
    /// The name of the pipeline.
    #[arg(long, env = "SEGUE_PIPELINE", default_value = "segue")]
    pipeline: String,
    /// The role that the pipeline is made with. Segue's transcoder keeps it and does not use it.
    #[arg(long, env = "SEGUE_PIPELINE_ROLE", default_value = DEFAULT_ROLE)]
    role: String,
    /// The key that signs calls to the transcoder, ID:SECRET; the one for all of AWS when not given.
    #[arg(long, env = "SEGUE_TRANSCODER_KEY", hide_env_values = true)]
    transcoder_key: Option<ApiKey>,
    /// Leave the pipeline out: make only what does not need the transcoder.
    #[arg(long)]
    skip_pipeline: bool,
}

/// A role of the form that the API asks for.
pub const DEFAULT_ROLE: &str = "arn:aws:iam::000000000000:role/segue-transcoder";

/// Makes what is missing and prints what there is.
pub async fn run(args: ProvisionArgs) -> anyhow::Result<()> {
    telemetry::init(&args.telemetry).context("--log (SEGUE_LOG)")?;
    let aws = Aws::from_env().await.signing_to_transcoder_with(args.transcoder_key.as_ref());
    let names = Names::new(args.prefix);
    let bucket = args.bucket.unwrap_or_else(|| names.bucket());
    let mut out = stdout();
    if let Some(bucket) = &args.share_bucket {
        // Before the queues: transcoders that wait for theirs look for the bucket next.
        create_bucket(&aws, bucket).await?;
        writeln!(out, "bucket    {bucket}")?;
    }
    let made = provision(&aws, &names, &bucket).await?;
    writeln!(out, "bucket    {}", made.bucket)?;
    writeln!(out, "topic     {}", made.transcoder_events_arn)?;
    writeln!(out, "topic     {}", made.results_arn)?;
    for queue in common::names::QUEUES {
        writeln!(out, "queue     {} ({})", names.full(queue), names.dead_letters(queue))?;
    }
    if !args.skip_pipeline {
        let id = pipeline(&aws.transcoder, &args.pipeline, &args.role, &made).await?;
        writeln!(out, "pipeline  {} ({id})", args.pipeline)?;
    }
    Ok(())
}

/// The id of the pipeline of this name, which is made if there is none.
pub async fn pipeline(client: &Client, name: &str, role: &str, made: &Provisioned) -> anyhow::Result<String> {
    if let Some(id) = find(client, name).await? {
        return Ok(id);
    }
    let topic = &made.transcoder_events_arn;
    let notifications =
        Notifications::builder().progressing(topic).completed(topic).warning(topic).error(topic).build();
    let request = client.create_pipeline().name(name).role(role).notifications(notifications);
    let output = request.input_bucket(&made.bucket).output_bucket(&made.bucket).send().await;
    let output = output.map_err(|error| anyhow!("cannot make the pipeline {name}: {}", brief(&error)))?;
    output.pipeline.and_then(|pipeline| pipeline.id).context("the transcoder answered without the pipeline's id")
}

/// The id of the pipeline of this name, if there is one.
pub async fn find(client: &Client, name: &str) -> anyhow::Result<Option<String>> {
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let (pipelines, next) = page(client, token).await?;
        if let Some(found) = pipelines.into_iter().find(|pipeline| pipeline.name() == Some(name)) {
            return Ok(found.id);
        }
        token = next;
        if token.is_none() {
            break;
        }
    }
    Ok(None)
}

/// One page of pipelines; a transcoder that cannot be reached yet is waited for.
async fn page(client: &Client, token: Option<String>) -> anyhow::Result<(Vec<Pipeline>, Option<String>)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.list_pipelines().set_page_token(token.clone()).send().await {
            Ok(output) => return Ok((output.pipelines.unwrap_or_default(), output.next_page_token)),
            // An answer with a code is an answer: waiting does not change it.
            Err(error) if error.code().is_some() || Instant::now() > deadline => {
                let hint = "start the transcoder, or make everything else with --skip-pipeline";
                return Err(anyhow!("cannot list the transcoder's pipelines ({hint}): {}", brief(&error)));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}
