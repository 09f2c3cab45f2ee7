use aws_sdk_sns::error::ProvideErrorMetadata;

use super::{Pair, code, topic};
use crate::world::World;

#[tokio::test]
async fn a_topic_is_made_once_and_listed() {
    let world = World::start().await;
    let sns = world.sns();
    let arn = topic(&sns, "events").await;
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:events");
    assert_eq!(topic(&sns, "events").await, arn);
    let other = sns.create_topic().name("events").attributes("DisplayName", "other").send().await;
    assert_eq!(code(other), "InvalidParameter");
    topic(&sns, "another").await;
    let listed = sns.list_topics().send().await.unwrap();
    let arns: Vec<&str> = listed.topics().iter().map(|topic| topic.topic_arn().unwrap()).collect();
    assert_eq!(arns, ["arn:aws:sns:us-east-1:000000000000:another", &arn]);
}

#[tokio::test]
async fn topics_come_in_pages() {
    let world = World::start().await;
    let sns = world.sns();
    for n in 0..101 {
        topic(&sns, &format!("t{n:03}")).await;
    }
    let first = sns.list_topics().send().await.unwrap();
    assert_eq!(first.topics().len(), 100);
    let second = sns.list_topics().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!(second.topics()[0].topic_arn(), Some("arn:aws:sns:us-east-1:000000000000:t100"));
    assert_eq!((second.topics().len(), second.next_token()), (1, None));
}

#[tokio::test]
async fn attributes_are_kept_and_bad_ones_refused() {
    let pair = Pair::new(false).await;
    let set = |name: &str, value: &str| {
        let request = pair.sns.set_topic_attributes().topic_arn(&pair.topic).attribute_name(name);
        request.attribute_value(value).send()
    };
    set("DisplayName", "A & <B>").await.unwrap();
    set("SignatureVersion", "2").await.unwrap();
    let policy = r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}"#;
    for (name, value) in [
        ("SignatureVersion", "3"),
        ("Policy", "not json"),
        ("FilterPolicy", "{}"),
        ("DeliveryPolicy", policy),
        ("KmsMasterKeyId", "alias/aws/sns"),
        ("TracingConfig", "Active"),
    ] {
        assert_eq!(code(set(name, value).await), "InvalidParameter", "{name}");
    }
    let shown = pair.sns.get_topic_attributes().topic_arn(&pair.topic).send().await.unwrap().attributes.unwrap();
    let expected = [
        ("TopicArn", pair.topic.as_str()),
        ("Owner", "000000000000"),
        ("DisplayName", "A & <B>"),
        ("SignatureVersion", "2"),
        ("SubscriptionsConfirmed", "1"),
        ("SubscriptionsPending", "0"),
        ("SubscriptionsDeleted", "0"),
    ];
    for (name, value) in expected {
        assert_eq!(shown[name], value, "{name}");
    }
    assert!(shown["Policy"].contains("__default_policy_ID"), "{shown:?}");
    let effective = r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#;
    assert_eq!(shown["EffectiveDeliveryPolicy"], effective);
    pair.sns.unsubscribe().subscription_arn(&pair.subscription).send().await.unwrap();
    let shown = pair.sns.get_topic_attributes().topic_arn(&pair.topic).send().await.unwrap().attributes.unwrap();
    assert_eq!((shown["SubscriptionsConfirmed"].as_str(), shown["SubscriptionsDeleted"].as_str()), ("0", "1"));
}

#[tokio::test]
async fn a_deleted_topic_takes_its_subscriptions_along() {
    let Pair { world: _world, sns, topic: arn, .. } = Pair::new(false).await;
    sns.delete_topic().topic_arn(&arn).send().await.unwrap();
    sns.delete_topic().topic_arn(&arn).send().await.unwrap();
    assert_eq!(code(sns.get_topic_attributes().topic_arn(&arn).send().await), "NotFound");
    assert!(sns.list_subscriptions().send().await.unwrap().subscriptions().is_empty());
    topic(&sns, "events").await;
    let of_topic = sns.list_subscriptions_by_topic().topic_arn(&arn).send().await.unwrap();
    assert!(of_topic.subscriptions().is_empty());
}

#[tokio::test]
async fn bad_names_and_unknown_actions_are_refused() {
    let world = World::start().await;
    let sns = world.sns();
    for bad in ["a b", "", "a.fifo", &"x".repeat(257)] {
        assert_eq!(code(sns.create_topic().name(bad).send().await), "InvalidParameter", "{bad}");
    }
    assert_eq!(code(sns.get_topic_attributes().topic_arn("events").send().await), "InvalidParameter");
    let elsewhere = "arn:aws:sns:eu-west-1:000000000000:events";
    assert_eq!(code(sns.get_topic_attributes().topic_arn(elsewhere).send().await), "NotFound");
    let error = sns.list_platform_applications().send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidAction"));
    assert!(error.message().unwrap().contains("ListPlatformApplications"), "{error:?}");
}
