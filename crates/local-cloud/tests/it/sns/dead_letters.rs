use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{Pair, code, queue, subscribe};
use crate::sqs;

fn redrive(queue_arn: &str) -> String {
    format!(r#"{{"deadLetterTargetArn": "{queue_arn}"}}"#)
}

async fn set(pair: &Pair, subscription: &str, value: &str) {
    let request = pair.sns.set_subscription_attributes().subscription_arn(subscription);
    request.attribute_name("RedrivePolicy").attribute_value(value).send().await.unwrap();
}

#[tokio::test]
async fn what_a_queue_does_not_take_is_in_the_dead_letter_queue() {
    let pair = Pair::new(true).await;
    let (dead_url, dead_arn) = queue(&pair.sqs, "dead", &pair.topic).await;
    let (gone_url, gone_arn) = queue(&pair.sqs, "gone", &pair.topic).await;
    let closed = sqs::create(&pair.sqs, "closed", &[]).await;
    let closed_arn = sqs::attributes(&pair.sqs, &closed).await["QueueArn"].clone();
    for (arn, raw) in [(&gone_arn, true), (&closed_arn, false)] {
        let subscription = subscribe(&pair.sns, &pair.topic, arn, raw).await;
        set(&pair, &subscription, &redrive(&dead_arn)).await;
    }
    pair.sqs.delete_queue().queue_url(&gone_url).send().await.unwrap();
    pair.publish("x").await;
    let dead = sqs::receive(&pair.sqs, &dead_url).await;
    let bodies = sqs::bodies(&dead);
    assert_eq!((bodies.len(), bodies[0]), (2, "x"));
    assert!(bodies[1].contains(r#""Type":"Notification""#), "{}", bodies[1]);
    assert_eq!(pair.bodies().await, ["x"], "the others get it all the same");
}

#[tokio::test]
async fn a_dead_letter_queue_must_allow_the_topic() {
    let pair = Pair::new(true).await;
    let dead_url = sqs::create(&pair.sqs, "dead", &[]).await;
    let dead_arn = sqs::attributes(&pair.sqs, &dead_url).await["QueueArn"].clone();
    let (gone_url, gone_arn) = queue(&pair.sqs, "gone", &pair.topic).await;
    let subscription = subscribe(&pair.sns, &pair.topic, &gone_arn, true).await;
    set(&pair, &subscription, &redrive(&dead_arn)).await;
    pair.sqs.delete_queue().queue_url(&gone_url).send().await.unwrap();
    pair.publish("lost").await;
    let allow = super::policy(&dead_arn, &pair.topic);
    pair.sqs.set_queue_attributes().queue_url(&dead_url).attributes(Name::Policy, allow).send().await.unwrap();
    pair.publish("kept").await;
    assert_eq!(sqs::bodies(&sqs::receive(&pair.sqs, &dead_url).await), ["kept"]);
}

#[tokio::test]
async fn the_policy_is_shown_and_taken_away() {
    let pair = Pair::new(true).await;
    let attributes = async || {
        let request = pair.sns.get_subscription_attributes().subscription_arn(&pair.subscription);
        request.send().await.unwrap().attributes.unwrap()
    };
    let policy = redrive(&pair.queue_arn);
    set(&pair, &pair.subscription, &policy).await;
    assert_eq!(attributes().await["RedrivePolicy"], policy);
    set(&pair, &pair.subscription, "").await;
    assert!(!attributes().await.contains_key("RedrivePolicy"));
    let request = pair.sns.set_subscription_attributes().subscription_arn(&pair.subscription);
    let bad = request.attribute_name("RedrivePolicy").attribute_value("{invalidjson}").send().await;
    assert_eq!(code(bad), "InvalidParameter");
}
