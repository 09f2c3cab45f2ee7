use super::{Pair, code, queue, subscribe};

#[tokio::test]
async fn a_queue_is_subscribed_once() {
    let pair = Pair::new(false).await;
    assert!(pair.subscription.starts_with(&format!("{}:", pair.topic)), "{}", pair.subscription);
    assert_eq!(subscribe(&pair.sns, &pair.topic, &pair.queue_arn, false).await, pair.subscription);
    let request = pair.sns.subscribe().topic_arn(&pair.topic).protocol("sqs").endpoint(&pair.queue_arn);
    let otherwise = request.attributes("RawMessageDelivery", "true").send().await;
    assert_eq!(code(otherwise), "InvalidParameter");
}

#[tokio::test]
async fn subscriptions_are_listed() {
    let pair = Pair::new(false).await;
    let other = super::topic(&pair.sns, "other").await;
    let second = subscribe(&pair.sns, &other, &pair.queue_arn, true).await;
    let all = pair.sns.list_subscriptions().send().await.unwrap();
    let arns: Vec<&str> = all.subscriptions().iter().map(|one| one.subscription_arn().unwrap()).collect();
    assert_eq!(arns, [&pair.subscription, &second]);
    let of_topic = pair.sns.list_subscriptions_by_topic().topic_arn(&other).send().await.unwrap();
    let [one] = of_topic.subscriptions() else { panic!("{of_topic:?}") };
    assert_eq!(one.subscription_arn(), Some(second.as_str()));
    assert_eq!((one.protocol(), one.endpoint()), (Some("sqs"), Some(pair.queue_arn.as_str())));
    assert_eq!((one.topic_arn(), one.owner()), (Some(other.as_str()), Some("000000000000")));
}

#[tokio::test]
async fn attributes_are_shown_and_raw_delivery_is_switched() {
    let pair = Pair::new(false).await;
    let attributes = || async {
        let request = pair.sns.get_subscription_attributes().subscription_arn(&pair.subscription);
        request.send().await.unwrap().attributes.unwrap()
    };
    let before = attributes().await;
    assert_eq!(before["RawMessageDelivery"], "false");
    assert_eq!(
        (before["Endpoint"].as_str(), before["PendingConfirmation"].as_str()),
        (pair.queue_arn.as_str(), "false")
    );
    let set = |name: &str, value: &str| {
        let request = pair.sns.set_subscription_attributes().subscription_arn(&pair.subscription);
        request.attribute_name(name).attribute_value(value).send()
    };
    set("RawMessageDelivery", "true").await.unwrap();
    assert_eq!(attributes().await["RawMessageDelivery"], "true");
    pair.publish("bare").await;
    assert_eq!(pair.bodies().await, ["bare"]);
    assert_eq!(code(set("RawMessageDelivery", "maybe").await), "InvalidParameter");
    assert_eq!(code(set("FilterPolicy", "{invalidjson}").await), "InvalidParameter");
    assert_eq!(code(set("DeliveryPolicy", "{}").await), "InvalidParameter");
    assert_eq!(code(set("Unknown", "x").await), "InvalidParameter");
}

#[tokio::test]
async fn nothing_comes_after_unsubscribing() {
    let pair = Pair::new(true).await;
    pair.sns.unsubscribe().subscription_arn(&pair.subscription).send().await.unwrap();
    pair.sns.unsubscribe().subscription_arn(&pair.subscription).send().await.unwrap();
    pair.publish("x").await;
    assert!(pair.bodies().await.is_empty());
    let gone = pair.sns.get_subscription_attributes().subscription_arn(&pair.subscription).send().await;
    assert_eq!(code(gone), "NotFound");
    assert_eq!(code(pair.sns.unsubscribe().subscription_arn("x").send().await), "InvalidParameter");
}

#[tokio::test]
async fn what_is_not_available_is_said() {
    let pair = Pair::new(true).await;
    let (_, second) = queue(&pair.sqs, "second", &pair.topic).await;
    let of = |topic: &str, protocol: &str, endpoint: &str| {
        pair.sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint)
    };
    let refused = [
        of(&pair.topic, "https", "http://example.com/"),
        of(&pair.topic, "http", "example.com"),
        of(&pair.topic, "email", "someone@example.com"),
        of(&pair.topic, "sqs", "http://127.0.0.1/queue"),
        of(&pair.topic, "sqs", &second).attributes("FilterPolicy", r#"{"a": "b"}"#),
        of(&pair.topic, "sqs", &second).attributes("RedrivePolicy", r#"{"deadLetterTargetArn": "x"}"#),
    ];
    for request in refused {
        assert_eq!(code(request.send().await), "InvalidParameter");
    }
    assert_eq!(code(of(&format!("{}x", pair.topic), "sqs", &second).send().await), "NotFound");
}

#[tokio::test]
async fn the_link_in_a_queues_envelope_unsubscribes() {
    let pair = Pair::new(false).await;
    pair.publish("first").await;
    let link = pair.envelope().await["UnsubscribeURL"].as_str().unwrap().to_owned();
    assert_eq!(reqwest::get(&link).await.unwrap().status(), 200);
    pair.publish("unheard").await;
    assert!(pair.bodies().await.is_empty());
    assert_eq!(reqwest::get(&link).await.unwrap().status(), 200, "twice is fine");
}
