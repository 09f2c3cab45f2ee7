//! The settings of webhooks.

use std::time::Duration;

use clap::value_parser;

use super::{retry::Patience, target::PrivateHost};

/// How webhooks are bounded, and how patient they are.
#[derive(Debug, Clone, clap::Args)]
pub struct WebhookArgs {
    /// Hosts that webhooks may point to though they are not on the public internet, without TLS too, separated by
    /// commas: hooks.internal, 10.0.0.7:8080. None when not given. Whoever may make webhooks reaches them.
    #[arg(long, env = "SEGUE_WEBHOOK_PRIVATE_HOSTS", value_delimiter = ',')]
    pub webhook_private_hosts: Vec<PrivateHost>,
    /// The most webhooks of one user.
    #[arg(long, env = "SEGUE_WEBHOOKS_PER_USER", default_value_t = 20, value_parser = value_parser!(u32).range(1..=10_000))]
    pub webhooks_per_user: u32,
    /// How many webhooks are posted to at once; as many again that are slow.
    #[arg(long, env = "SEGUE_WEBHOOKS_AT_ONCE", default_value_t = 32, value_parser = value_parser!(u16).range(1..=1000))]
    pub webhooks_at_once: u16,
    /// How many posts to one webhook are under way at once.
    #[arg(long, env = "SEGUE_WEBHOOK_POSTS_AT_ONCE", default_value_t = 4, value_parser = value_parser!(u16).range(1..=100))]
    pub webhook_posts_at_once: u16,
    /// Seconds in which a webhook must have answered.
    #[arg(long, env = "SEGUE_WEBHOOK_SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(1..=60))]
    pub webhook_seconds: u64,
    /// Hours for which a failed delivery is tried again.
    #[arg(long, env = "SEGUE_WEBHOOK_RETRY_HOURS", default_value_t = 24, value_parser = value_parser!(u64).range(1..=168))]
    pub webhook_retry_hours: u64,
    /// Days after which a webhook that has taken nothing is switched off.
    #[arg(long, env = "SEGUE_WEBHOOK_FAILING_DAYS", default_value_t = 5, value_parser = value_parser!(u64).range(1..=30))]
    pub webhook_failing_days: u64,
    /// Hours for which the secret before a rotation signs too.
    #[arg(long, env = "SEGUE_WEBHOOK_OLD_SECRET_HOURS", default_value_t = 24, value_parser = value_parser!(u64).range(0..=720))]
    pub webhook_old_secret_hours: u64,
    /// Days for which deliveries are kept. SNS and SQS together may deliver a result again for 37 days.
    #[arg(long, env = "SEGUE_WEBHOOK_LOG_DAYS", default_value_t = 40, value_parser = value_parser!(u64).range(40..=3650))]
    pub webhook_log_days: u64,
}

impl WebhookArgs {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            webhook_private_hosts: Vec::new(),
            webhooks_per_user: 20,
            webhooks_at_once: 32,
            webhook_posts_at_once: 4,
            webhook_seconds: 15,
            webhook_retry_hours: 24,
            webhook_failing_days: 5,
            webhook_old_secret_hours: 24,
            webhook_log_days: 40,
        }
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_secs(self.webhook_seconds)
    }

    pub(super) const fn patience(&self) -> Patience {
        Patience {
            delivery: Duration::from_secs(self.webhook_retry_hours * 3600),
            webhook: Duration::from_secs(self.webhook_failing_days * 24 * 3600),
        }
    }

    pub(super) const fn overlap(&self) -> Duration {
        Duration::from_secs(self.webhook_old_secret_hours * 3600)
    }

    pub(super) const fn retention(&self) -> Duration {
        Duration::from_secs(self.webhook_log_days * 24 * 3600)
    }
}

impl Default for WebhookArgs {
    fn default() -> Self {
        Self::new()
    }
}
