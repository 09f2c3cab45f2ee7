//! One message to all subscriptions of its topic that want it, in one transaction: into the queues at once,
//! and as deliveries to be made for the rest.

use std::collections::HashMap;

use super::{
    Shared,
    deliveries::{self, Recipient},
    error::Error,
    protocol::{PerProtocol, Protocol},
    publication::Publication,
    redrive,
    subscription::{self, Subscription},
};
use crate::{
    sqs::{Outgoing, now_ms},
    store::Transaction,
};

/// Fails with [`Error::Unsigned`], and nothing is done, when an envelope is wanted and there is no signature.
pub(super) fn fan_out(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    topic: &str,
    publications: &[PerProtocol<Publication>],
) -> Result<(), Error> {
    let mut stored = HashMap::new();
    for subscription in subscription::confirmed_of_topic(tx, topic)? {
        let filter = subscription.filter()?;
        for (index, publication) in publications.iter().enumerate() {
            let publication = publication.of(subscription.protocol);
            let message = &publication.message;
            if filter.as_ref().is_some_and(|filter| !filter.passes(&message.attributes, || publication.json())) {
                continue;
            }
            if subscription.protocol == Protocol::Sqs {
                hand_over(tx, shared, publication, &subscription)?;
                continue;
            }
            if !subscription.raw && !publication.is_signed() {
                return Err(Error::Unsigned);
            }
            let id = match stored.get(&(index, subscription.protocol)) {
                Some(id) => *id,
                None => {
                    let id = deliveries::store(tx, topic, publication)?;
                    stored.insert((index, subscription.protocol), id);
                    id
                }
            };
            deliveries::add(tx, id, &Recipient::of(&subscription), now_ms())?;
        }
    }
    if !stored.is_empty() {
        shared.wake_after_commit(tx);
    }
    Ok(())
}

impl<'a> Recipient<'a> {
    pub(super) fn of(subscription: &'a Subscription) -> Self {
        Self {
            topic: &subscription.topic,
            subscription: &subscription.arn,
            endpoint: &subscription.endpoint,
            raw: subscription.raw,
        }
    }
}

/// Writes one message into a queue. A queue that is gone or refuses is a client's error, after which
/// nothing is tried again (SNS developer guide, "Amazon SNS dead-letter queues"); it does not stop the others.
fn hand_over(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    publication: &Publication,
    subscription: &Subscription,
) -> Result<(), Error> {
    let content = publication.content(&shared.context, &subscription.arn, subscription.raw)?;
    let outgoing = Outgoing {
        service: "sns.amazonaws.com",
        source_arn: &publication.message.topic_arn,
        body: &content.body,
        attributes: &content.attributes,
    };
    match shared.sqs.deliver(tx, &subscription.endpoint, &outgoing)? {
        Ok(()) => {
            shared.clear_warning(tx, subscription.arn.clone());
            Ok(())
        }
        Err(refusal) => {
            let reason = format!("{}: {refusal}", subscription.endpoint);
            redrive::give_up(tx, shared, subscription, &content, &reason)
        }
    }
}
