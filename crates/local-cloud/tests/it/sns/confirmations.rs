use std::time::Duration;

use aws_sdk_sns::config::Region;
use local_cloud::SnsTimes;

use super::{
    code,
    subscriber::{Subscriber, hurried, until, verify},
    topic,
};
use crate::world::World;

async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn is_pending(world: &World, arn: &str) -> bool {
    let attributes = world.sns().get_subscription_attributes().subscription_arn(arn).send().await.unwrap();
    attributes.attributes.unwrap()["PendingConfirmation"] == "true"
}

#[tokio::test]
async fn nothing_comes_before_the_link_was_followed() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let plain = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&subscriber.url).send().await.unwrap();
    assert_eq!(plain.subscription_arn(), Some("pending confirmation"));
    let asked = subscriber.wait_for("SubscriptionConfirmation", 1).await.remove(0);
    verify(&asked.body, &world.endpoint).await;
    let json = asked.json();
    let (token, link) = (json["Token"].as_str().unwrap(), json["SubscribeURL"].as_str().unwrap());
    assert_eq!(link, format!("{}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}", world.endpoint));
    assert_eq!(asked.header("x-amz-sns-topic-arn"), Some(topic.as_str()));
    assert_eq!(asked.header("x-amz-sns-subscription-arn"), None);
    assert_eq!(asked.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(asked.header("user-agent"), Some("Amazon Simple Notification Service Agent"));
    assert_eq!(asked.header("x-amz-sns-message-id"), json["MessageId"].as_str());
    sns.publish().topic_arn(&topic).message("too early").send().await.unwrap();
    let listed = sns.list_subscriptions().send().await.unwrap();
    assert_eq!(listed.subscriptions()[0].subscription_arn(), Some("PendingConfirmation"));
    let (status, answer) = get(link).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(&format!("<SubscriptionArn>{topic}:")), "{answer}");
    assert_eq!(get(link).await.0, 200, "confirming twice is fine");
    sns.publish().topic_arn(&topic).message("in time").send().await.unwrap();
    let seen = subscriber.wait_for("Notification", 1).await;
    assert_eq!(seen[0].message(&world).await, "in time");
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn a_wrong_token_confirms_nothing() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let (events, other) = (topic(&sns, "events").await, topic(&sns, "other").await);
    let arn = subscriber.ask(&world, &events, &[]).await;
    let token = subscriber.token().await;
    let wrong = format!("{}/?Action=ConfirmSubscription&TopicArn={events}&Token=abc123", world.endpoint);
    let (status, answer) = get(&wrong).await;
    assert_eq!(status, 400);
    assert!(
        answer.contains("<Code>InvalidParameter</Code>") && answer.contains("Invalid parameter: Token"),
        "{answer}"
    );
    let confirm = |topic: &str, token: &str| sns.confirm_subscription().topic_arn(topic).token(token).send();
    assert_eq!(code(confirm(&events, "abc123").await), "InvalidParameter");
    assert_eq!(code(confirm(&other, &token).await), "InvalidParameter");
    assert_eq!(code(confirm("not-an-arn", &token).await), "InvalidParameter");
    assert!(is_pending(&world, &arn).await);
    confirm(&events, &token).await.unwrap();
    assert!(!is_pending(&world, &arn).await);
}

#[tokio::test]
async fn an_old_token_confirms_nothing() {
    let world = World::with(SnsTimes { token: Duration::ZERO, ..hurried() }).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let arn = subscriber.ask(&world, &topic, &[]).await;
    let token = subscriber.token().await;
    let refused = sns.confirm_subscription().topic_arn(&topic).token(token).send().await;
    assert_eq!(code(refused), "InvalidParameter");
    assert!(is_pending(&world, &arn).await);
}

#[tokio::test]
async fn asking_again_is_one_subscription() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let arn = subscriber.ask(&world, &topic, &[]).await;
    let first = subscriber.token().await;
    assert_eq!(subscriber.ask(&world, &topic, &[]).await, arn);
    subscriber.wait_for("SubscriptionConfirmation", 2).await;
    let confirm = |token: String| sns.confirm_subscription().topic_arn(&topic).token(token).send();
    assert_eq!(code(confirm(first).await), "InvalidParameter", "only the last token is good");
    confirm(subscriber.token().await).await.unwrap();
    let again = sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&subscriber.url).send().await.unwrap();
    assert_eq!(again.subscription_arn(), Some(arn.as_str()));
    assert_eq!(sns.list_subscriptions().send().await.unwrap().subscriptions().len(), 1);
    let pending = sns.unsubscribe().subscription_arn(Subscriber::start().await.ask(&world, &topic, &[]).await).send();
    assert_eq!(code(pending.await), "InvalidParameter", "what is pending cannot be ended");
}

#[tokio::test]
async fn the_link_in_an_envelope_unsubscribes_and_the_farewell_restores() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let arn = subscriber.subscribe(&world, &topic, &[]).await;
    let publish = |message: &str| sns.publish().topic_arn(&topic).message(message).send();
    publish("first").await.unwrap();
    let link = subscriber.wait_for("Notification", 1).await[0].json()["UnsubscribeURL"].as_str().unwrap().to_owned();
    assert_eq!(link, format!("{}/?Action=Unsubscribe&SubscriptionArn={arn}", world.endpoint));
    let (status, answer) = get(&link).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("<UnsubscribeResponse"), "{answer}");
    let farewell = subscriber.wait_for("UnsubscribeConfirmation", 1).await.remove(0);
    verify(&farewell.body, &world.endpoint).await;
    assert_eq!(farewell.header("x-amz-sns-subscription-arn"), Some(arn.as_str()));
    assert!(farewell.json()["Message"].as_str().unwrap().contains(&arn), "{farewell:?}");
    publish("unheard").await.unwrap();
    let gone = sns.get_subscription_attributes().subscription_arn(&arn).send().await;
    assert_eq!(code(gone), "NotFound");
    let (status, answer) = get(farewell.json()["SubscribeURL"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains(&arn), "{answer}");
    publish("second").await.unwrap();
    let seen = subscriber.wait_for("Notification", 2).await;
    assert_eq!((seen.len(), seen[1].message(&world).await.as_str()), (2, "second"));
}

#[tokio::test]
async fn ending_can_take_a_signature() {
    let world = World::with(hurried()).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    let arn = subscriber.ask(&world, &topic, &[]).await;
    let token = subscriber.token().await;
    let endpoint = &world.endpoint;
    let unsigned =
        format!("{endpoint}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}&AuthenticateOnUnsubscribe=true");
    assert_eq!(get(&unsigned).await.0, 403);
    let confirm = sns.confirm_subscription().topic_arn(&topic).token(token).authenticate_on_unsubscribe("true");
    confirm.send().await.unwrap();
    let link = format!("{endpoint}/?Action=Unsubscribe&SubscriptionArn={arn}");
    let (status, answer) = get(&link).await;
    assert_eq!(status, 403);
    assert!(answer.contains("AuthorizationError"), "{answer}");
    let attributes = sns.get_subscription_attributes().subscription_arn(&arn).send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes["ConfirmationWasAuthenticated"], "true");
    sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    let gone = until("the end", async || {
        let found = sns.get_subscription_attributes().subscription_arn(&arn).send().await;
        found.is_err().then(|| code(found))
    });
    assert_eq!(gone.await, "NotFound");
}

#[tokio::test]
async fn nothing_else_goes_without_a_signature() {
    let world = World::start().await;
    let topic = topic(&world.sns(), "events").await;
    let publish = format!("{}/?Action=Publish&TopicArn={topic}&Message=x", world.endpoint);
    assert_eq!(get(&publish).await.0, 403);
    let config = aws_sdk_sns::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .endpoint_url(&world.endpoint)
        .allow_no_auth()
        .build();
    let anonymous = aws_sdk_sns::Client::from_conf(config);
    let confirm = anonymous.confirm_subscription().topic_arn(&topic).token("abc123").send().await;
    assert_eq!(code(confirm), "InvalidParameter", "the SDK's unsigned call gets as far as the token");
}
