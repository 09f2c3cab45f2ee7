use aws_sdk_sns::{error::ProvideErrorMetadata, types::MessageAttributeValue};

use super::{
    Pair, code,
    subscriber::{Subscriber, hurried},
    topic,
};
use crate::world::World;

fn attribute(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

async fn set(pair: &Pair, name: &str, value: &str) -> Result<(), String> {
    let request = pair.sns.set_subscription_attributes().subscription_arn(&pair.subscription);
    let sent = request.attribute_name(name).attribute_value(value).send().await;
    sent.map(drop).map_err(|error| error.into_service_error().message().unwrap().to_owned())
}

async fn publish_with(pair: &Pair, message: &str, data_type: &str, value: &str) {
    let publish = pair.sns.publish().topic_arn(&pair.topic).message(message);
    publish.message_attributes("k", attribute(data_type, value)).send().await.unwrap();
}

#[tokio::test]
async fn a_queue_gets_what_its_policy_lets_through() {
    let pair = Pair::new(true).await;
    set(&pair, "FilterPolicy", r#"{"k": ["a", {"numeric": [">", 0, "<=", 100]}]}"#).await.unwrap();
    publish_with(&pair, "a", "String", "a").await;
    publish_with(&pair, "b", "String", "b").await;
    publish_with(&pair, "99", "Number", "99").await;
    publish_with(&pair, "101", "Number", "101").await;
    publish_with(&pair, "array", "String.Array", r#"["x", "a"]"#).await;
    pair.publish("without attributes").await;
    assert_eq!(pair.bodies().await, ["a", "99", "array"]);
    set(&pair, "FilterPolicy", "").await.unwrap();
    pair.publish("everything").await;
    assert_eq!(pair.bodies().await, ["everything"]);
}

#[tokio::test]
async fn a_policy_can_be_on_the_body() {
    let pair = Pair::new(true).await;
    let nested = r#"{"object": {"key": [{"prefix": "auto-"}]}}"#;
    let refused = set(&pair, "FilterPolicy", nested).await.unwrap_err();
    assert_eq!(
        refused,
        "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy"
    );
    set(&pair, "FilterPolicyScope", "MessageBody").await.unwrap();
    set(&pair, "FilterPolicy", nested).await.unwrap();
    assert!(set(&pair, "FilterPolicyScope", "MessageAttributes").await.is_err(), "the policy would be a bad one");
    let good = r#"{"object": {"key": "auto-1"}}"#;
    for message in [good, r#"{"object": {"key": "manual"}}"#, "not json", r#"{"object": "auto-1"}"#] {
        pair.publish(message).await;
    }
    assert_eq!(pair.bodies().await, [good]);
}

#[tokio::test]
async fn policies_are_shown_and_checked() {
    let pair = Pair::new(true).await;
    let shown = async || {
        let request = pair.sns.get_subscription_attributes().subscription_arn(&pair.subscription);
        request.send().await.unwrap().attributes.unwrap()
    };
    assert!(!shown().await.contains_key("FilterPolicyScope"), "it is shown with a policy only");
    let policy = r#"{"k":["v"]}"#;
    set(&pair, "FilterPolicy", policy).await.unwrap();
    let attributes = shown().await;
    assert_eq!(attributes["FilterPolicy"], policy);
    assert_eq!(attributes["FilterPolicyScope"], "MessageAttributes");
    for (name, value, message) in [
        ("FilterPolicy", "{invalidjson}", "Invalid parameter: FilterPolicy: failed to parse JSON."),
        ("FilterPolicy", r#"{"k":"v"}"#, r#"Invalid parameter: FilterPolicy: "k" must be an object or an array"#),
        (
            "FilterPolicyScope",
            "RandomValue",
            "Invalid parameter: FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes",
        ),
    ] {
        assert_eq!(set(&pair, name, value).await.unwrap_err(), message);
    }
    assert_eq!(shown().await["FilterPolicy"], policy);
    let subscribe =
        pair.sns.subscribe().topic_arn(&pair.topic).protocol("sqs").endpoint(format!("{}2", pair.queue_arn));
    let refused =
        subscribe.attributes("FilterPolicy", r#"{"k":[["v"]]}"#).send().await.unwrap_err().into_service_error();
    assert_eq!(
        refused.message(),
        Some(
            "Invalid parameter: Attributes Reason: FilterPolicy: Match value must be String, number, true, false, or null"
        )
    );
}

#[tokio::test]
async fn an_endpoint_gets_what_its_policy_lets_through() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let policy = [("FilterPolicy", r#"{"kind": [{"anything-but": "no"}]}"#), ("FilterPolicyScope", "MessageBody")];
    subscriber.subscribe(&world, &topic, &policy).await;
    for message in [r#"{"kind": "no"}"#, r#"{"kind": "yes"}"#] {
        sns.publish().topic_arn(&topic).message(message).send().await.unwrap();
    }
    let seen = subscriber.wait_for("Notification", 1).await;
    assert_eq!((seen.len(), seen[0].message(&world).await.as_str()), (1, r#"{"kind": "yes"}"#));
}

#[tokio::test]
async fn a_topic_has_so_many_policies_and_no_more() {
    let pair = Pair::new(true).await;
    let subscribe = |n: u32| {
        let request = pair.sns.subscribe().topic_arn(&pair.topic).protocol("sqs");
        request.endpoint(format!("{}{n}", pair.queue_arn)).attributes("FilterPolicy", r#"{"k":["v"]}"#).send()
    };
    for n in 0..200 {
        subscribe(n).await.unwrap();
    }
    assert_eq!(code(subscribe(200).await), "FilterPolicyLimitExceeded");
    let set = pair.sns.set_subscription_attributes().subscription_arn(&pair.subscription);
    let set = set.attribute_name("FilterPolicy").attribute_value(r#"{"k":["v"]}"#).send().await;
    assert_eq!(code(set), "FilterPolicyLimitExceeded");
}
