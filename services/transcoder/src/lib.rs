//! The Elastic Transcoder API (2012-09-25), with ffmpeg behind it.
//!
//! CreateJob stores a job and the message that calls for a worker in one transaction; a worker claims the job whose turn
//! it is, runs it, and stores its end together with the notification that tells about it.

mod api;
mod config;
mod engine;
mod events;
mod gauge;
mod handler;
mod leftovers;
mod message;
mod metrics;
mod progress;
mod share;
mod store;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use common::names::TRANSCODER_JOBS;
use database::Database;
use elastic_transcoder::Arns;
use queue::{Consumer, Relay, Settings, Stop, find};
use runtime::Platform;

pub use api::{Api, ApiParts, router};
pub use config::{Config, EngineConfig, Quotas};
pub use engine::Coders;
pub use store::{MIGRATIONS, SCHEMA, Store};

use engine::{Engine, Runner, Scratch, Storage, Tools};
use handler::JobHandler;
use share::{Helper, Sharing};

/// The message of a process that died is received again after this, when the lease of its job has ended.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the service: its consumer and relay run on the platform; the API's routes are given back.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    metrics::describe();
    metrics::scratch_limit(config.engine.max_scratch_bytes);
    let engine = Arc::new(engine(platform, &config.engine).await?);
    let coders = engine.runner.tools.coders;
    let store = Store::new(Database::connect(&config.database, SCHEMA, &MIGRATIONS).await?);
    let jobs_queue = platform.names.full(TRANSCODER_JOBS);
    let queue = find::queue(&platform.aws.sqs, &platform.names, TRANSCODER_JOBS).await?;
    let settings = Settings { concurrency: config.engine.jobs(), visibility_timeout: VISIBILITY_TIMEOUT };
    let shutdown = &platform.shutdown;
    let sharing = match &config.engine.share_bucket {
        Some(bucket) => Some(Sharing::open(store.clone(), &engine, bucket).await?),
        None => None,
    };
    let handler = JobHandler::new(
        store.clone(),
        engine.clone(),
        platform.aws.s3.clone(),
        handler::Settings {
            jobs_queue: jobs_queue.clone(),
            publish_progress: config.publish_progress,
            sharing: sharing.clone(),
        },
        shutdown.intake(),
    );
    let consumer = Consumer::new(platform.aws.sqs.clone(), queue, settings, handler);
    let relay = Relay::new("transcoder", store.outbox.clone(), platform.aws.sqs.clone(), platform.aws.sns.clone());
    shutdown.spawn("transcoder's consumer", consumer.run(Stop { intake: shutdown.intake(), work: shutdown.work() }));
    shutdown.spawn("transcoder's relay", relay.run(shutdown.intake()));
    if let Some(sharing) = sharing.clone() {
        let helper = Helper::new(store.clone(), engine, sharing);
        let stop = Stop { intake: shutdown.intake(), work: shutdown.work() };
        shutdown.spawn("transcoder's helper", helper.run(stop));
    }
    let kept = sweep::Settings { jobs_queue: jobs_queue.clone(), keep_days: config.keep_jobs, sharing };
    shutdown.spawn("transcoder's sweep", sweep::run(store.clone(), kept, shutdown.intake()));
    let database = store.database.clone();
    platform.health.check("transcoder database", move || {
        let database = database.clone();
        async move { Ok(database.ping().await?) }
    });
    let arns = Arns::new(platform.aws.region(), config.account);
    Ok(router(Api::new(ApiParts {
        store,
        arns,
        keys: config.access_keys,
        jobs_queue,
        quotas: config.quotas,
        coders,
        s3: platform.aws.s3.clone(),
        sns: platform.aws.sns.clone(),
    })))
}

async fn engine(platform: &Platform, config: &EngineConfig) -> anyhow::Result<Engine> {
    let tools = Tools::find(&config.ffmpeg, &config.ffprobe).await?;
    let directory = config.scratch_dir();
    let scratch = Scratch::open(&directory, config.max_scratch_bytes)
        .with_context(|| format!("cannot use the scratch directory {} (SEGUE_SCRATCH_DIR)", directory.display()))?;
    let runner = Runner::new(tools, config.limits(), config.encoders(), &config.readable);
    let place = scratch.directory().context("cannot make a scratch directory")?;
    runner.check(place.path()).await?;
    Ok(Engine { runner, scratch, storage: Storage::new(platform.aws.s3.clone()) })
}
