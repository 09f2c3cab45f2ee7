//! Dead-letter queues of subscriptions (SNS developer guide, "Amazon SNS dead-letter queues").

use serde::Deserialize;

use super::{Shared, endpoint, error::Error, publication::Content, subscription::Subscription};
use crate::{sqs::Outgoing, store::Transaction};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedrivePolicy {
    dead_letter_target_arn: String,
}

/// The queue that a policy names. The queue need not be there yet.
pub(super) fn target(policy: &str) -> Result<String, String> {
    let value: serde_json::Value =
        serde_json::from_str(policy).map_err(|_| "RedrivePolicy: failed to parse JSON.".to_owned())?;
    let policy: RedrivePolicy = serde_json::from_value(value)
        .map_err(|_| "RedrivePolicy: deadLetterTargetArn is missing or is not the only member".to_owned())?;
    let target = policy.dead_letter_target_arn;
    if endpoint::is_queue_arn(&target) {
        Ok(target)
    } else {
        Err(format!("RedrivePolicy: deadLetterTargetArn is an invalid arn: {target}"))
    }
}

/// Puts what could not be delivered into the subscription's dead-letter queue, whose policy must allow the
/// topic; without one, or when that fails too, it is gone.
pub(super) fn give_up(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    subscription: &Subscription,
    content: &Content,
    reason: &str,
) -> Result<(), Error> {
    let arn = subscription.arn.clone();
    let Some(policy) = subscription.attribute("RedrivePolicy") else {
        shared.warn_of_loss(tx, arn, format!("{reason}; it is dropped"));
        return Ok(());
    };
    let queue = target(policy).map_err(Error::Internal)?;
    let topic_arn = shared.context.topic_arn(&subscription.topic);
    let outgoing = Outgoing {
        service: "sns.amazonaws.com",
        source_arn: &topic_arn,
        body: &content.body,
        attributes: &content.attributes,
    };
    let note = match shared.sqs.deliver(tx, &queue, &outgoing)? {
        Ok(()) => format!("{reason}; it is in the dead-letter queue {queue}"),
        Err(refusal) => format!("{reason}; it is dropped, as {queue} does not take it: {refusal}"),
    };
    shared.warn_of_loss(tx, arn, note);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_queue_is_a_target() {
        let good = r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead"}"#;
        assert_eq!(target(good).as_deref(), Ok("arn:aws:sqs:us-east-1:000000000000:dead"));
        for bad in [
            "not json",
            "{}",
            r#"{"deadLetterTargetArn": 1}"#,
            r#"{"deadLetterTargetArn": "arn:aws:sns:us-east-1:000000000000:dead"}"#,
            r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:"}"#,
            r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 5}"#,
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
