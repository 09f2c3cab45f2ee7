//! What follows from the end of a post.

use super::{
    super::{
        Shared,
        deliveries::{self, Delivery},
        endpoint,
        envelope::Kind,
        error::Error,
        redrive, subscription,
    },
    policy,
    post::Outcome,
};
use crate::{sqs::now_ms, store::Transaction};

/// The longest that a message is tried for: that is the longest delivery policy (SNS developer guide,
/// "Amazon SNS message delivery retries"). It bounds what gathers for an endpoint that never answers.
const LONGEST_MS: i64 = 60 * 60 * 1000;
/// Deliveries given up in one write, which others wait for.
const AT_A_TIME: usize = 500;

/// Takes the delivery away, or puts it off until it is to be tried again.
pub(super) fn settle(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    delivery: &Delivery,
    outcome: &Outcome,
) -> Result<(), Error> {
    // It was called off while it was under way.
    let Some(delivery) = deliveries::find(tx, delivery.id)? else { return Ok(()) };
    let (reason, may_try_again) = match outcome {
        Outcome::Delivered => {
            shared.clear_warning(tx, delivery.subscription.clone());
            return deliveries::remove(tx, &delivery);
        }
        Outcome::Refused(reason) => (reason, false),
        Outcome::Failed(reason) => (reason, true),
    };
    let failures = delivery.failures.saturating_add(1);
    match policy(tx, &delivery)?.delay(failures).filter(|_| may_try_again) {
        Some(seconds) => {
            let delay = shared.times.second.mul_f64(seconds).as_millis();
            let due_ms = now_ms().saturating_add(i64::try_from(delay).unwrap_or(i64::MAX));
            deliveries::postpone(tx, delivery.id, failures, due_ms)
        }
        None => give_up(tx, shared, &delivery, failures, reason),
    }
}

/// Gives up what has waited for too long, whatever its turn. True when there may be more.
pub(super) fn give_up_old(tx: &mut Transaction<'_>, shared: &Shared, now_ms: i64) -> Result<bool, Error> {
    let old = deliveries::made_before(tx, now_ms - LONGEST_MS, AT_A_TIME)?;
    for delivery in &old {
        let reason = "it was not taken within an hour";
        give_up(tx, shared, delivery, delivery.failures, reason)?;
    }
    Ok(old.len() == AT_A_TIME)
}

/// Only messages that somebody published go to a dead-letter queue: the rest is for the endpoint alone.
fn give_up(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    delivery: &Delivery,
    tries: u32,
    reason: &str,
) -> Result<(), Error> {
    let reason = format!("{} after {tries} tries: {reason}", endpoint::shown(&delivery.endpoint));
    let publication = match deliveries::publication(tx, delivery) {
        Ok(publication) => publication,
        // What cannot be read must not hold up the rest, nor come again and again.
        Err(error) => {
            shared.warn_of_loss(tx, delivery.subscription.clone(), format!("{reason}; it cannot be read: {error}"));
            return deliveries::remove(tx, delivery);
        }
    };
    match subscription::find(tx, &delivery.subscription)? {
        Some(subscription) if matches!(publication.message.kind, Kind::Notification) => {
            let content = publication.content(&shared.context, &delivery.subscription, delivery.raw)?;
            redrive::give_up(tx, shared, &subscription, &content, &reason)?;
        }
        _ => shared.warn_of_loss(tx, delivery.subscription.clone(), format!("{reason}; it is dropped")),
    }
    deliveries::remove(tx, delivery)
}
