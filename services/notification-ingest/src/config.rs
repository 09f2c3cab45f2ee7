//! The settings of notification-ingest.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::value_parser;
use database::DatabaseArgs;
use runtime::auth::{AuthArgs, OperatorArgs};
use sns::{Endpoint, Region, Root, Roots, Settings, TopicArn};

use crate::webhooks::WebhookArgs;

/// Everything that can be set.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Where events are kept.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Whose tokens are taken.
    #[command(flatten)]
    pub auth: AuthArgs,
    /// Who runs the deployment.
    #[command(flatten)]
    pub operators: OperatorArgs,
    /// Results posted to whoever subscribes.
    #[command(flatten)]
    pub webhooks: WebhookArgs,
    /// The topics whose messages are taken, separated by commas; the topic `{prefix}-transcoder-events` beside the
    /// queue of that name when nothing is said.
    #[arg(long, env = "SEGUE_SNS_TOPIC_ARNS", value_delimiter = ',')]
    pub sns_topic_arns: Vec<TopicArn>,
    /// The regions whose SNS may sign, separated by commas; those of the topics when nothing is said.
    #[arg(long, env = "SEGUE_SNS_REGIONS", value_delimiter = ',')]
    pub sns_regions: Vec<Region>,
    /// A local SNS that may sign too, and serves its certificate itself: http://127.0.0.1:4566.
    #[arg(long, env = "SEGUE_SNS_LOCAL_ENDPOINT")]
    pub sns_local_endpoint: Option<Endpoint>,
    /// A file of certificates in PEM: the roots that signing certificates must lead to. When not given, those that
    /// Mozilla trusts for AWS, and none for the local SNS, which signs for itself.
    #[arg(long, env = "SEGUE_SNS_ROOTS")]
    pub sns_roots: Option<PathBuf>,
    /// Whether to subscribe again when somebody unsubscribes the HTTP endpoint. It is logged in any case.
    #[arg(long, env = "SEGUE_SNS_RESUBSCRIBE")]
    pub sns_resubscribe: bool,
    /// Seconds after which a message that comes over HTTP is too old.
    #[arg(long, env = "SEGUE_SNS_MAX_AGE_SECONDS", default_value_t = Config::MAX_AGE_SECONDS, value_parser = value_parser!(u64).range(1..=86_400))]
    pub sns_max_age_seconds: u64,
    /// Seconds in which the body of a post must have come.
    #[arg(long, env = "SEGUE_SNS_BODY_SECONDS", default_value_t = Config::BODY_SECONDS, value_parser = value_parser!(u64).range(1..=60))]
    pub sns_body_seconds: u64,
    /// Whether the signature of messages from the queue is checked too: for a queue whose policy lets others send.
    #[arg(long, env = "SEGUE_SNS_VERIFY_QUEUED")]
    pub sns_verify_queued: bool,
    /// How many events from the queue are handled at once.
    #[arg(long, env = "SEGUE_CONSUMER_CONCURRENCY", default_value_t = Config::CONSUMER_CONCURRENCY, value_parser = value_parser!(u16).range(1..=1000))]
    pub consumer_concurrency: u16,
    /// How many rejected messages are kept for the operator, the newest.
    #[arg(long, env = "SEGUE_REJECTED_KEEP", default_value_t = Config::REJECTED_KEEP, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub rejected_keep: u32,
    /// Days for which events are kept. SNS and SQS together may deliver one for 37 days.
    #[arg(long, env = "SEGUE_EVENT_RETENTION_DAYS", default_value_t = Config::EVENT_RETENTION_DAYS, value_parser = value_parser!(u32).range(40..=3650))]
    pub event_retention_days: u32,
}

impl Config {
    /// The default of `sns_max_age_seconds`: an hour.
    pub const MAX_AGE_SECONDS: u64 = 3600;
    /// The default of `sns_body_seconds`. SNS itself waits 15 seconds for an answer.
    pub const BODY_SECONDS: u64 = 10;
    /// The default of `consumer_concurrency`.
    pub const CONSUMER_CONCURRENCY: u16 = 10;
    /// The default of `rejected_keep`.
    pub const REJECTED_KEEP: u32 = 10_000;
    /// The default of `event_retention_days`.
    pub const EVENT_RETENTION_DAYS: u32 = 90;

    /// Defaults for everything but the database and the issuer of tokens.
    #[must_use]
    pub const fn new(database: DatabaseArgs, auth: AuthArgs) -> Self {
        Self {
            database,
            auth,
            operators: OperatorArgs { operators: Vec::new() },
            webhooks: WebhookArgs::new(),
            sns_topic_arns: Vec::new(),
            sns_regions: Vec::new(),
            sns_local_endpoint: None,
            sns_roots: None,
            sns_resubscribe: false,
            sns_max_age_seconds: Self::MAX_AGE_SECONDS,
            sns_body_seconds: Self::BODY_SECONDS,
            sns_verify_queued: false,
            consumer_concurrency: Self::CONSUMER_CONCURRENCY,
            rejected_keep: Self::REJECTED_KEEP,
            event_retention_days: Self::EVENT_RETENTION_DAYS,
        }
    }

    /// What genuine messages look like; `own_topic` is the one that is expected when no other is named.
    pub(crate) fn verification(&self, own_topic: TopicArn) -> anyhow::Result<Settings> {
        let topics = if self.sns_topic_arns.is_empty() { vec![own_topic] } else { self.sns_topic_arns.clone() };
        let mut settings = Settings::new(topics);
        if !self.sns_regions.is_empty() {
            settings.regions.clone_from(&self.sns_regions);
        }
        settings.local_endpoint.clone_from(&self.sns_local_endpoint);
        settings.max_age = Duration::from_secs(self.sns_max_age_seconds);
        if let Some(path) = &self.sns_roots {
            let setting = || format!("--sns-roots (SEGUE_SNS_ROOTS) {}", path.display());
            let roots = Root::all_from_pem(&std::fs::read(path).with_context(setting)?).with_context(setting)?;
            (settings.roots, settings.local_roots) = (Roots::Only(roots.clone()), Roots::Only(roots));
        }
        Ok(settings)
    }

    pub(crate) const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.sns_body_seconds)
    }

    pub(crate) const fn retention(&self) -> Duration {
        Duration::from_secs(self.event_retention_days as u64 * 24 * 3600)
    }
}
