//! What work inside of a store's transaction needs of the service.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{Context, sqs::Sqs, store::Transaction};

/// How long SNS waits, and for what. The default is what AWS does; tests are in more of a hurry.
#[derive(Clone, Debug)]
pub struct SnsTimes {
    /// What a second of a delivery policy lasts.
    pub second: Duration,
    /// How long an endpoint may take to answer (SNS developer guide, "Make sure your endpoint is ready to
    /// process Amazon SNS messages").
    pub answer: Duration,
    /// How long a token confirms (SNS API, Subscribe).
    pub token: Duration,
}

impl Default for SnsTimes {
    fn default() -> Self {
        Self {
            second: Duration::from_secs(1),
            answer: Duration::from_secs(15),
            token: Duration::from_secs(2 * 24 * 60 * 60),
        }
    }
}

/// Cheap to clone, so that a transaction can own one.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) context: Arc<Context>,
    pub(super) sqs: Arc<Sqs>,
    pub(super) times: Arc<SnsTimes>,
    /// Rouses the courier.
    pub(super) wake: Arc<Notify>,
    warned: Arc<Warned>,
}

/// Subscriptions that last lost a message, so that each is warned about once and not per message.
#[derive(Default)]
struct Warned(Mutex<HashSet<String>>);

impl Shared {
    pub(super) fn new(context: Arc<Context>, sqs: Arc<Sqs>, times: SnsTimes) -> Self {
        Self { context, sqs, times: Arc::new(times), wake: Arc::default(), warned: Arc::default() }
    }

    pub(super) fn wake_after_commit(&self, tx: &mut Transaction<'_>) {
        let wake = self.wake.clone();
        tx.after_commit(move || wake.notify_one());
    }

    /// Logs that a subscription did not get a message, unless it missed the one before too.
    pub(super) fn warn_of_loss(&self, tx: &mut Transaction<'_>, subscription: String, reason: String) {
        let warned = self.warned.clone();
        tx.after_commit(move || {
            if warned.is_new(&subscription) {
                tracing::warn!(subscription, reason, "a topic's message was not delivered");
            }
        });
    }

    pub(super) fn clear_warning(&self, tx: &mut Transaction<'_>, subscription: String) {
        let warned = self.warned.clone();
        tx.after_commit(move || warned.clear(&subscription));
    }

    /// For a subscription that is no more.
    pub(super) fn forget_warning(&self, subscription: &str) {
        self.warned.clear(subscription);
    }
}

impl Warned {
    /// Whether this is the first loss since the last success.
    fn is_new(&self, subscription: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(subscription.to_owned())
    }

    fn clear(&self, subscription: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(subscription);
    }
}
