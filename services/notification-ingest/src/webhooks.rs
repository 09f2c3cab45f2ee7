//! Webhooks: results posted to whoever subscribes, signed as Standard Webhooks.
//!
//! A result on the queue `results-webhooks` becomes one delivery for each webhook that wants it ([`fan_out`]). The
//! [`courier`] posts deliveries until they are taken or a day has passed. Where a webhook points to is a user's wish:
//! [`target`], [`resolver`] and [`address`] see to it that it reaches nothing but the public internet.

mod address;
mod client;
mod config;
mod courier;
mod fan_out;
mod kind;
mod resolver;
mod retry;
mod routes;
mod secret;
mod store;
mod sweep;
mod target;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use common::names::RESULTS_WEBHOOKS;
use database::Database;
use queue::{Consumer, Outbox, Settings, Stop, find};
use runtime::{Platform, auth::Verifier};
use tokio::sync::Notify;

pub use client::Attempt;
pub use config::WebhookArgs;
pub use target::PrivateHost;

use self::{
    client::Poster,
    courier::{Bounds, Courier},
    fan_out::FanOut,
    routes::Api,
};
use crate::Config;

/// Tells a loop of this process that there is something to do. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes the loop, or has it not sleep when it was going to.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    async fn woken(&self) {
        self.0.notified().await;
    }
}

/// What webhooks share with the rest of the service.
pub struct Parts {
    /// Knows whose token it is.
    pub tokens: Verifier,
    /// The service's tables.
    pub database: Database,
    /// Messages for topics.
    pub outbox: Outbox,
    /// The topic `results`.
    pub results_arn: String,
}

/// Starts consumer, courier and sweep on the platform's shutdown; gives back the routes.
pub async fn start(config: &Config, platform: &Platform, parts: Parts) -> anyhow::Result<Router> {
    let (args, Parts { tokens, database, outbox, results_arn }) = (&config.webhooks, parts);
    let poster = Poster::new(args).context("webhooks could not be posted to")?;
    let queue = find::queue(&platform.aws.sqs, &platform.names, RESULTS_WEBHOOKS).await?;
    let (wake, swept) = (Wake::default(), Wake::default());

    let fan_out = FanOut { database: database.clone(), wake: wake.clone() };
    let settings = Settings { concurrency: usize::from(config.consumer_concurrency), ..Settings::default() };
    let consumer = Consumer::new(platform.aws.sqs.clone(), queue, settings, fan_out);
    let courier = Courier {
        database: database.clone(),
        outbox,
        results_arn,
        poster: poster.clone(),
        bounds: Bounds {
            turns: usize::from(args.webhooks_at_once),
            posts: i64::from(args.webhook_posts_at_once),
            timeout: args.timeout(),
            patience: args.patience(),
        },
        wake: wake.clone(),
    };
    let (intake, work) = (platform.shutdown.intake(), platform.shutdown.work());
    let stop = Stop { intake: intake.clone(), work };
    platform.shutdown.spawn("results-webhooks consumer", consumer.run(stop.clone()));
    platform.shutdown.spawn("webhooks courier", courier.run(stop));
    let sweep = sweep::run(database.clone(), args.retention(), swept.clone(), intake);
    platform.shutdown.spawn("webhooks sweep", sweep);

    let api = Api { database, poster, wake, swept, most: args.webhooks_per_user, overlap: args.overlap() };
    Ok(routes::router(api, &tokens))
}
