//! The Elastic Transcoder API (2012-09-25), with ffmpeg behind it.
//!
//! CreateJob stores a job and the message that has it run in one transaction; a consumer runs it and stores its end
//! together with the notification that tells about it.

mod api;
mod config;
mod engine;
mod events;
mod handler;
mod message;
mod progress;
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

pub use api::{Api, router};
pub use config::{Config, EngineConfig};
pub use store::{MIGRATIONS, SCHEMA, Store};

use engine::{Engine, Runner, Scratch, Storage, Tools};
use handler::JobHandler;

/// A job whose process died is run again after this.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the service: its consumer and relay run on the platform; the API's routes are given back.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    let engine = engine(platform, &config.engine).await?;
    let store = Store::new(Database::connect(&config.database, SCHEMA, &MIGRATIONS).await?);
    let jobs_queue = platform.names.full(TRANSCODER_JOBS);
    let queue = find::queue(&platform.aws.sqs, &platform.names, TRANSCODER_JOBS).await?;
    let settings = Settings { concurrency: config.engine.jobs(), visibility_timeout: VISIBILITY_TIMEOUT };
    let handler = JobHandler::new(store.clone(), Arc::new(engine));
    let consumer = Consumer::new(platform.aws.sqs.clone(), queue, settings, handler);
    let relay = Relay::new(store.outbox.clone(), platform.aws.sqs.clone(), platform.aws.sns.clone());
    let shutdown = &platform.shutdown;
    shutdown.spawn("transcoder's consumer", consumer.run(Stop { intake: shutdown.intake(), work: shutdown.work() }));
    shutdown.spawn("transcoder's relay", relay.run(shutdown.intake()));
    let sweep = sweep::run(store.clone(), jobs_queue.clone(), shutdown.intake());
    shutdown.spawn("transcoder's sweep", sweep);
    let database = store.database.clone();
    platform.health.check("transcoder database", move || {
        let database = database.clone();
        async move { Ok(database.ping().await?) }
    });
    let arns = Arns::new(platform.aws.region(), config.account);
    Ok(router(Api::new(store, arns, config.access_keys, jobs_queue)))
}

async fn engine(platform: &Platform, config: &EngineConfig) -> anyhow::Result<Engine> {
    let tools = Tools::find(&config.ffmpeg, &config.ffprobe).await?;
    let directory = config.scratch_dir();
    let scratch = Scratch::open(&directory)
        .with_context(|| format!("cannot use the scratch directory {} (SEGUE_SCRATCH_DIR)", directory.display()))?;
    let runner = Runner::new(tools, config.limits(), config.encoders());
    Ok(Engine { runner, scratch, storage: Storage::new(platform.aws.s3.clone()) })
}
