use aws_sdk_sqs::types::QueueAttributeName as Name;
use tokio::time::timeout;

use super::{Pair, policy, queue, subscribe};
use crate::sqs::{self, SOON};

#[tokio::test]
async fn every_queue_gets_each_message_and_waiting_polls_wake() {
    let pair = Pair::new(true).await;
    let (second_url, second_arn) = queue(&pair.sqs, "second", &pair.topic).await;
    subscribe(&pair.sns, &pair.topic, &second_arn, false).await;
    let waiting = {
        let (sqs, url) = (pair.sqs.clone(), second_url.clone());
        tokio::spawn(async move { sqs::receive_within(&sqs, &url, 20).await })
    };
    let id = pair.publish("x").await;
    let woken = timeout(SOON, waiting).await.expect("the poll was not woken").unwrap();
    let envelope: serde_json::Value = serde_json::from_str(woken[0].body().unwrap()).unwrap();
    assert_eq!(envelope["MessageId"], id);
    assert_eq!(pair.bodies().await, ["x"]);
}

#[tokio::test]
async fn a_queue_that_does_not_allow_the_topic_gets_nothing() {
    let pair = Pair::new(true).await;
    let closed = sqs::create(&pair.sqs, "closed", &[]).await;
    let arn = sqs::attributes(&pair.sqs, &closed).await["QueueArn"].clone();
    subscribe(&pair.sns, &pair.topic, &arn, true).await;
    let set = |policy: &str| pair.sqs.set_queue_attributes().queue_url(&closed).attributes(Name::Policy, policy).send();
    pair.publish("without a policy").await;
    set(&policy(&arn, "arn:aws:sns:us-east-1:000000000000:other")).await.unwrap();
    pair.publish("another topic").await;
    assert!(sqs::receive(&pair.sqs, &closed).await.is_empty());
    set(&policy(&arn, &pair.topic)).await.unwrap();
    pair.publish("allowed").await;
    assert_eq!(sqs::bodies(&sqs::receive(&pair.sqs, &closed).await), ["allowed"]);
    assert_eq!(pair.bodies().await, ["without a policy", "another topic", "allowed"]);
    assert_eq!(sqs::code(set("not json").await), "InvalidAttributeValue");
}

#[tokio::test]
async fn a_queue_that_is_gone_or_too_small_does_not_stop_the_others() {
    let pair = Pair::new(true).await;
    let (gone_url, gone_arn) = queue(&pair.sqs, "gone", &pair.topic).await;
    let (small_url, small_arn) = queue(&pair.sqs, "small", &pair.topic).await;
    let shrink = pair.sqs.set_queue_attributes().queue_url(&small_url).attributes(Name::MaximumMessageSize, "1024");
    shrink.send().await.unwrap();
    subscribe(&pair.sns, &pair.topic, &gone_arn, true).await;
    subscribe(&pair.sns, &pair.topic, &small_arn, true).await;
    pair.sqs.delete_queue().queue_url(&gone_url).send().await.unwrap();
    pair.publish(&"x".repeat(1025)).await;
    assert_eq!(pair.bodies().await.len(), 1);
    assert!(sqs::receive(&pair.sqs, &small_url).await.is_empty());
    pair.publish("y").await;
    assert_eq!(sqs::bodies(&sqs::receive(&pair.sqs, &small_url).await), ["y"]);
}

#[tokio::test]
async fn a_restart_keeps_topics_subscriptions_and_what_was_published() {
    let Pair { world, sns, topic, queue_arn, subscription, .. } = Pair::new(true).await;
    sns.publish().topic_arn(&topic).message("before").send().await.unwrap();
    let world = world.restart().await;
    let (sns, sqs) = (world.sns(), world.sqs());
    assert_eq!(subscribe(&sns, &topic, &queue_arn, true).await, subscription);
    sns.publish().topic_arn(&topic).message("after").send().await.unwrap();
    let url = sqs.get_queue_url().queue_name("inbox").send().await.unwrap().queue_url.unwrap();
    assert_eq!(sqs::bodies(&sqs::receive(&sqs, &url).await), ["before", "after"]);
}
