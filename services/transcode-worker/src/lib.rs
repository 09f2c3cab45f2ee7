//! transcode-worker: a request from the queue becomes exactly one job of the transcoder.
//!
//! A request may come twice, and the process may die between making the job and writing that down.
//! The row in `jobs` stops a second job in the first case; in the second the job is asked for again
//! under the same client token, for which the transcoder gives back the job that it has.

mod config;
mod engine;
mod handler;
mod prefixes;
mod store;

use anyhow::Context;
use axum::Router;
use common::names;
use database::Database;
use queue::{Consumer, Outbox, Relay, Settings, Stop, find};
use runtime::Platform;
use sqlx::migrate::Migrator;

pub use config::Config;
pub use prefixes::{Overlap, Prefixes};

static MIGRATOR: Migrator = sqlx::migrate!();

/// Starts the consumer of `transcode-requests`. There are no routes but those of health.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    let prefixes = Prefixes::new(&config.input_prefix, &config.output_prefix)
        .context("--output-prefix (SEGUE_OUTPUT_PREFIX) cannot be used")?;
    let database = Database::connect(&config.database, "transcode_worker", &MIGRATOR).await?;
    let aws = &platform.aws.clone().signing_to_transcoder_with(config.transcoder_key.as_ref());
    let (names, shutdown) = (&platform.names, &platform.shutdown);
    let queue = find::queue(&aws.sqs, names, names::TRANSCODE_REQUESTS).await?;
    let results = find::topic_arn(&aws.sqs, names, names::RESULTS, &queue).await?;
    let outbox = Outbox::new(database.pool().clone());
    let handler = handler::RequestHandler {
        prefixes,
        database: database.clone(),
        outbox: outbox.clone(),
        engine: engine::Engine::new(aws.transcoder.clone(), config.pipeline),
        results_arn: results,
    };
    let settings = Settings { concurrency: config.concurrency.into(), ..Settings::default() };
    let stop = Stop { intake: shutdown.intake(), work: shutdown.work() };
    shutdown.spawn("transcode-worker consumer", Consumer::new(aws.sqs.clone(), queue, settings, handler).run(stop));
    let relay = Relay::new("transcode-worker", outbox, aws.sqs.clone(), aws.sns.clone());
    shutdown.spawn("transcode-worker relay", relay.run(shutdown.intake()));
    platform.health.check("transcode-worker database", move || {
        let database = database.clone();
        async move { Ok(database.ping().await?) }
    });
    Ok(Router::new())
}
