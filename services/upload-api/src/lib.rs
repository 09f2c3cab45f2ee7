//! Takes files, streams them to S3 and keeps each file's state.
//!
//! A file's row, its outputs and its transcode request are committed together, after its bytes are
//! in S3; results move it on from there. See [`start`].

mod body;
mod config;
mod disposition;
mod error;
mod intake;
mod keys;
mod metrics;
mod payload;
mod places;
mod purge;
mod requests;
mod results;
mod routes;
mod sniff;
mod state;
mod storage;
mod store;
mod sweep;

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use common::names::{RESULTS, RESULTS_UPLOADS};
use database::Database;
use queue::{Consumer, Outbox, Queue, Relay, Settings, Stop, find};
use runtime::{Platform, auth::Verifier};

pub use config::Config;

use crate::{
    body::Pace,
    intake::Intake,
    places::Places,
    purge::Purger,
    requests::Requests,
    results::Results,
    state::{AppState, Bounds, Wake},
    storage::Storage,
    sweep::Sweep,
};

/// Starts the service: its tables, its consumer, relay and sweeps on the platform's life, and its
/// readiness. Gives its routes, which all want a token.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    metrics::describe(config.uploads_at_once);
    let verifier = Verifier::new(&config.auth)?;
    let migrations = sqlx::migrate!("./migrations");
    let database = Database::connect(&config.database, "upload_api", &migrations).await?;
    let storage = storage(&config, platform);
    let aws = &platform.aws;
    let queue = find::queue(&aws.sqs, &platform.names, RESULTS_UPLOADS).await.context("cannot consume results")?;
    let results_arn = find::topic_arn(&aws.sqs, &platform.names, RESULTS, &queue).await?;
    let outbox = Outbox::new(database.pool().clone());
    let requests = Requests::new(outbox.clone(), &platform.names, results_arn);
    let pace = Pace { idle: Duration::from_secs(config.body_idle_seconds), bytes_per_second: config.body_min_rate };
    let bounds = Bounds { file_bytes: config.max_upload_bytes, pace };
    let places = Places::new(config.uploads_at_once, config.uploads_per_user);
    let intake = Intake::new(database.clone(), storage.clone(), requests.clone(), bounds, places, &platform.shutdown);
    let state = AppState { database, storage, requests, intake, purge: Wake::default(), bounds };
    let relay = Relay::new("upload-api", outbox, aws.sqs.clone(), aws.sns.clone());
    platform.shutdown.spawn("upload-api's outbox relay", relay.run(platform.shutdown.intake()));
    spawn_tasks(&state, platform, queue);
    add_checks(&state, platform);
    Ok(routes::router(state, &verifier))
}

fn storage(config: &Config, platform: &Platform) -> Storage {
    let bucket = config.bucket.clone().unwrap_or_else(|| platform.names.bucket());
    let aws = &platform.aws;
    let public = config.s3_public_endpoint.as_ref().map_or_else(
        || aws.s3.clone(),
        // A URL without a path ends in a slash, which would stand twice in links.
        |endpoint| aws.s3_at(endpoint.as_str().trim_end_matches('/')),
    );
    Storage::new(aws.s3.clone(), public, &bucket, Duration::from_secs(config.presign_seconds))
}

fn spawn_tasks(state: &AppState, platform: &Platform, queue: Queue) {
    let (sqs, shutdown) = (&platform.aws.sqs, &platform.shutdown);
    let AppState { database, storage, requests, purge, .. } = state.clone();
    let handler = Results { database: database.clone(), storage: storage.clone(), purge: purge.clone() };
    let consumer = Consumer::new(sqs.clone(), queue, Settings::default(), handler);
    let stop = Stop { intake: shutdown.intake(), work: shutdown.work() };
    shutdown.spawn("consumer of results-uploads", consumer.run(stop));
    let purger = Purger { database: database.clone(), storage: storage.clone(), wake: purge };
    shutdown.spawn("purge of deleted files", purger.run(shutdown.intake()));
    shutdown.spawn("sweep of upload-api", Sweep { database, storage, requests }.run(shutdown.intake()));
}

fn add_checks(state: &AppState, platform: &Platform) {
    let AppState { database, storage, .. } = state.clone();
    platform.health.check("upload-api: database", move || {
        let database = database.clone();
        async move { Ok(database.ping().await?) }
    });
    platform.health.check("upload-api: bucket", move || {
        let storage = storage.clone();
        async move { storage.ping().await }
    });
}
