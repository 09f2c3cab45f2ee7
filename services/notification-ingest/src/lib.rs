//! Accepts transcoder events over HTTP and SQS, refuses what is not genuine, and fans one result out.
//!
//! Both ways end in [`intake`]: there an event is stored and, when it takes its job further, turned into one
//! `TranscodeResult` on the topic `results`, all in one transaction. [`webhooks`] posts results to whoever subscribes.

mod body;
mod config;
mod consumer;
mod door;
mod event;
mod intake;
mod metrics;
mod reason;
mod rejected;
mod store;
mod sweep;
mod webhooks;

use anyhow::Context;
use axum::Router;
use common::names::{RESULTS, TRANSCODER_EVENTS};
use database::Database;
use queue::{Consumer, Outbox, Relay, Settings, Stop, find};
use runtime::{Platform, auth};
use sns::{TopicArn, Verifier};
use sqlx::migrate::Migrator;

pub use config::Config;
pub use webhooks::{PrivateHost, WebhookArgs};

use crate::{consumer::Events, door::Door, intake::Intake, rejected::Rejects};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Starts the service: consumer, relay and sweep run on the platform's shutdown; its routes are given back.
pub async fn start(config: Config, platform: &Platform) -> anyhow::Result<Router> {
    metrics::describe();
    let (aws, names) = (&platform.aws, &platform.names);
    let queue = find::queue(&aws.sqs, names, TRANSCODER_EVENTS).await?;
    let own_topic: TopicArn = find::topic_arn(&aws.sqs, names, TRANSCODER_EVENTS, &queue).await?.parse()?;
    let results_arn = find::topic_arn(&aws.sqs, names, RESULTS, &queue).await?;
    let verifier = Verifier::new(config.verification(own_topic)?).context("certificates could not be fetched")?;

    let database = Database::connect(&config.database, "notification_ingest", &MIGRATOR).await?;
    let pinged = database.clone();
    platform.health.check("notification-ingest database", move || {
        let database = pinged.clone();
        async move { Ok(database.ping().await?) }
    });

    let outbox = Outbox::new(database.pool().clone());
    let tokens = auth::Verifier::new(&config.auth).context("--jwks-url (SEGUE_JWKS_URL)")?;
    let tokens = tokens.with_operators(&config.operators);
    let parts = webhooks::Parts {
        tokens: tokens.clone(),
        database: database.clone(),
        outbox: outbox.clone(),
        results_arn: results_arn.clone(),
    };
    let webhooks = webhooks::start(&config, platform, parts).await?;
    let rejects = Rejects::new(database.clone(), config.rejected_keep);
    let intake = Intake::new(database.clone(), outbox.clone(), results_arn, rejects.clone());
    let events = Events::new(intake.clone(), verifier.clone(), config.sns_verify_queued);
    let settings = Settings { concurrency: usize::from(config.consumer_concurrency), ..Settings::default() };
    let consumer = Consumer::new(aws.sqs.clone(), queue, settings, events);
    let relay = Relay::new("notification-ingest", outbox, aws.sqs.clone(), aws.sns.clone());
    let (stopping, work) = (platform.shutdown.intake(), platform.shutdown.work());
    let stop = Stop { intake: stopping.clone(), work };
    platform.shutdown.spawn("transcoder-events consumer", consumer.run(stop));
    platform.shutdown.spawn("notification-ingest relay", relay.run(stopping.clone()));
    platform.shutdown.spawn("notification-ingest sweep", sweep::run(database, config.retention(), stopping));

    let door = Door::new(intake, verifier, aws.sns.clone(), config.body_timeout());
    let rejected = auth::require(rejected::router(rejects), &tokens);
    Ok(door::router(door.resubscribing(config.sns_resubscribe)).merge(rejected).merge(webhooks))
}
