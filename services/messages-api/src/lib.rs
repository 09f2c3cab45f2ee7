//! Each user's own unread notices: counted, paged, pushed.
//!
//! A final result on the queue `results-messages` becomes one notice for the file's owner. The owner
//! lists and marks notices under `/v1/messages` and has new ones pushed by `/v1/messages/stream`.

mod config;
mod feed;
mod hub;
mod metrics;
mod notice;
mod poll;
mod results;
mod routes;
mod store;

use anyhow::Context;
use axum::Router;
use common::names::RESULTS_MESSAGES;
use database::Database;
use queue::{Consumer, Settings, Stop};
use runtime::{Platform, auth::Verifier};
use sqlx::migrate::Migrator;

pub use config::{Config, StreamArgs};

use crate::{hub::Hub, results::Results, routes::Api, store::Store};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Starts the service: its consumer and its watch for other processes' notices run on the platform's
/// shutdown; its routes are given back.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    metrics::describe(config.streams.max_streams);
    let verifier = Verifier::new(&config.auth).context("--jwks-url (SEGUE_JWKS_URL)")?;
    let database = Database::connect(&config.database, "messages_api", &MIGRATOR).await?;
    let (store, hub) = (Store::new(database.clone()), Hub::new(&config.streams));
    platform.health.check("messages-api database", move || {
        let database = database.clone();
        async move { Ok(database.ping().await?) }
    });

    let results = queue::find::queue(&platform.aws.sqs, &platform.names, RESULTS_MESSAGES).await?;
    let settings = Settings { concurrency: usize::from(config.consumer_concurrency), ..Settings::default() };
    let handler = Results { store: store.clone(), hub: hub.clone() };
    let consumer = Consumer::new(platform.aws.sqs.clone(), results, settings, handler);
    let (intake, work) = (platform.shutdown.intake(), platform.shutdown.work());
    platform.shutdown.spawn("results-messages consumer", consumer.run(Stop { intake: intake.clone(), work }));
    let watch = poll::run(store.clone(), hub.clone(), config.streams.poll(), intake.clone());
    platform.shutdown.spawn("messages-api poll", watch);

    Ok(routes::router(Api { store, hub, stop: intake }, &verifier))
}
