use std::{collections::BTreeSet, time::Duration};

use aws_sdk_sns::types::MessageAttributeValue;
use local_cloud::SnsTimes;

use super::{
    code, queue,
    subscriber::{Answer, Subscriber, hurried, until, verify},
    topic,
};
use crate::{crash::Process, sqs, world::World};

/// A topic in a world that waits for little.
async fn start() -> (World, aws_sdk_sns::Client, String) {
    let world = World::with(hurried()).await;
    let sns = world.sns();
    let topic = topic(&sns, "events").await;
    (world, sns, topic)
}

fn only_once() -> (&'static str, &'static str) {
    ("DeliveryPolicy", r#"{"healthyRetryPolicy": {"numRetries": 0}}"#)
}

fn ids(posts: &[super::subscriber::Seen]) -> BTreeSet<String> {
    posts.iter().map(|post| post.header("x-amz-sns-message-id").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_notification_is_as_documented() {
    let (world, sns, topic) = start().await;
    let subscriber = Subscriber::start().await;
    let arn = subscriber.subscribe(&world, &topic, &[]).await;
    let attribute = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let publish =
        sns.publish().topic_arn(&topic).message("Gr\u{fc}\u{df}e\n").subject("S").message_attributes("k", attribute);
    let id = publish.send().await.unwrap().message_id.unwrap();
    let seen = subscriber.wait_for("Notification", 1).await.remove(0);
    assert_eq!(seen.message(&world).await, "Gr\u{fc}\u{df}e\n");
    for (name, value) in [
        ("x-amz-sns-message-id", id.as_str()),
        ("x-amz-sns-topic-arn", &topic),
        ("x-amz-sns-subscription-arn", &arn),
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", "Amazon Simple Notification Service Agent"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.header("x-amz-sns-rawdelivery"), None);
    let json = seen.json();
    assert_eq!((&json["Subject"], &json["MessageAttributes"]["k"]["Value"]), (&"S".into(), &"v".into()));
}

#[tokio::test]
async fn raw_delivery_posts_the_bare_message() {
    let (world, sns, topic) = start().await;
    let subscriber = Subscriber::start().await;
    let policy = r#"{"requestPolicy": {"headerContentType": "application/json"}}"#;
    subscriber.subscribe(&world, &topic, &[("RawMessageDelivery", "true"), ("DeliveryPolicy", policy)]).await;
    let publish = sns.publish().topic_arn(&topic).message_structure("json");
    publish.message(r#"{"default": "d", "http": "{\"a\": 1}"}"#).send().await.unwrap();
    let seen = subscriber.wait_for("Notification", 1).await.remove(0);
    assert_eq!(seen.body, r#"{"a": 1}"#);
    assert_eq!(seen.header("x-amz-sns-rawdelivery"), Some("true"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn errors_that_pass_are_tried_again() {
    let (world, sns, topic) = start().await;
    let subscriber = Subscriber::start().await;
    subscriber.subscribe(&world, &topic, &[]).await;
    subscriber.answer(Answer::Statuses(vec![500, 429, 503]));
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    let seen = subscriber.wait_for("Notification", 4).await;
    assert_eq!(ids(&seen).len(), 1, "it is one message");
    assert_eq!(seen[3].message(&world).await, "x");
    sns.publish().topic_arn(&topic).message("y").send().await.unwrap();
    let seen = subscriber.wait_for("Notification", 5).await;
    assert_eq!(
        (seen.len(), seen[4].message(&world).await.as_str()),
        (5, "y"),
        "what was delivered does not come again"
    );
}

#[tokio::test]
async fn a_time_out_is_tried_again() {
    let world = World::with(SnsTimes { answer: Duration::from_millis(200), ..hurried() }).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    subscriber.subscribe(&world, &topic, &[]).await;
    subscriber.answer(Answer::Never);
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    subscriber.wait_for("Notification", 2).await;
    subscriber.answer(Answer::Status(200));
    until("the success", async || subscriber.seen("Notification").iter().any(|seen| seen.status == 200).then_some(()))
        .await;
    assert_eq!(ids(&subscriber.seen("Notification")).len(), 1);
}

#[tokio::test]
async fn a_policy_sets_the_number_of_tries() {
    let (world, sns, topic) = start().await;
    let (own, of_topic) = (Subscriber::start().await, Subscriber::start().await);
    let policy = r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}"#;
    let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("DeliveryPolicy").attribute_value(policy);
    set.send().await.unwrap();
    let arn = own.subscribe(&world, &topic, &[only_once()]).await;
    let other = of_topic.subscribe(&world, &topic, &[]).await;
    own.answer(Answer::Status(500));
    of_topic.answer(Answer::Status(500));
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    of_topic.wait_for("Notification", 2).await;
    own.wait_for("Notification", 1).await;
    own.answer(Answer::Status(200));
    of_topic.answer(Answer::Status(200));
    sns.publish().topic_arn(&topic).message("y").send().await.unwrap();
    assert_eq!(own.wait_for("Notification", 2).await[1].message(&world).await, "y");
    assert_eq!(of_topic.wait_for("Notification", 3).await[2].message(&world).await, "y");
    for (arn, tries) in [(&arn, "\"numRetries\":0"), (&other, "\"numRetries\":1")] {
        let shown = sns.get_subscription_attributes().subscription_arn(arn).send().await.unwrap().attributes.unwrap();
        assert!(shown["EffectiveDeliveryPolicy"].contains(tries), "{shown:?}");
    }
    let set = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("DeliveryPolicy");
    let bad = set.attribute_value(r#"{"healthyRetryPolicy": {"numRetries": 101}}"#).send().await;
    assert_eq!(code(bad), "InvalidParameter");
}

/// A topic in a world whose seconds last long enough to be measured, with one subscriber.
async fn start_paced(policy: &str) -> (World, aws_sdk_sns::Client, String, Subscriber) {
    let world = World::with(SnsTimes { second: Duration::from_millis(100), ..hurried() }).await;
    let (sns, subscriber) = (world.sns(), Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    subscriber.subscribe(&world, &topic, &[("DeliveryPolicy", policy)]).await;
    (world, sns, topic, subscriber)
}

#[tokio::test]
async fn retries_keep_the_distance_that_the_policy_sets() {
    let policy = r#"{"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 1, "minDelayTarget": 2, "maxDelayTarget": 6}}"#;
    let (_world, sns, topic, subscriber) = start_paced(policy).await;
    subscriber.answer(Answer::Status(500));
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    let seen = subscriber.wait_for("Notification", 4).await;
    let gap = |n: usize| seen[n + 1].at - seen[n].at;
    assert!(gap(1) >= Duration::from_millis(200), "{:?}", gap(1));
    assert!(gap(2) >= Duration::from_millis(600), "{:?}", gap(2));
}

#[tokio::test]
async fn a_throttle_holds_deliveries_apart() {
    let policy = r#"{"throttlePolicy": {"maxReceivesPerSecond": 1}}"#;
    let (_world, sns, topic, subscriber) = start_paced(policy).await;
    for n in 0..5 {
        sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
    }
    let seen = subscriber.wait_for("Notification", 5).await;
    let all = seen[4].at - seen[0].at;
    assert!(all >= Duration::from_millis(380), "{all:?}");
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let (world, sns, topic) = start().await;
    let (good, bad) = (Subscriber::start().await, Subscriber::start().await);
    good.subscribe(&world, &topic, &[]).await;
    bad.subscribe(&world, &topic, &[]).await;
    bad.answer(Answer::Status(400));
    for n in 0..3 {
        sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
    }
    good.wait_for("Notification", 3).await;
    bad.wait_for("Notification", 3).await;
    until("empty tables", async || (rows(&world) == 0).then_some(())).await;
    good.answer(Answer::Never);
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    assert_ne!(rows(&world), 0, "a delivery is a row before it is made");
    sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(rows(&world), 0, "a topic takes its deliveries along");
}

/// What there is of deliveries and their messages.
fn rows(world: &World) -> i64 {
    let connection = rusqlite::Connection::open(world.directory().join("local-cloud.db")).unwrap();
    let count = "SELECT (SELECT count(*) FROM sns_deliveries) + (SELECT count(*) FROM sns_publications)";
    connection.query_row(count, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_slow_endpoint_delays_nobody_else() {
    const MESSAGES: usize = 30;
    let world = World::with(SnsTimes { answer: Duration::from_secs(60), ..hurried() }).await;
    let (sns, slow, fast) = (world.sns(), Subscriber::start().await, Subscriber::start().await);
    let topic = topic(&sns, "events").await;
    slow.subscribe(&world, &topic, &[]).await;
    fast.subscribe(&world, &topic, &[]).await;
    slow.answer(Answer::Never);
    for n in 0..MESSAGES {
        sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
    }
    let seen = fast.wait_for("Notification", MESSAGES).await;
    assert_eq!(ids(&seen).len(), MESSAGES);
    assert!(slow.seen("Notification").len() <= 4, "one endpoint takes up a few places only");
}

#[tokio::test]
async fn a_restart_goes_on_with_what_is_under_way() {
    let (world, sns, topic) = start().await;
    let subscriber = Subscriber::start().await;
    subscriber.subscribe(&world, &topic, &[]).await;
    subscriber.answer(Answer::Never);
    for n in 0..6 {
        sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
    }
    subscriber.wait_for("Notification", 1).await;
    let world = world.restart().await;
    subscriber.answer(Answer::Status(200));
    let done = until("all six", async || {
        let mut seen = subscriber.seen("Notification");
        seen.retain(|seen| seen.status == 200);
        (ids(&seen).len() == 6).then_some(seen)
    });
    for seen in done.await {
        seen.message(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let sns = aws_sdk_sns::Client::new(&process.config());
    let (topic, subscriber) = (topic(&sns, "events").await, Subscriber::start().await);
    sns.subscribe().topic_arn(&topic).protocol("http").endpoint(&subscriber.url).send().await.unwrap();
    sns.confirm_subscription().topic_arn(&topic).token(subscriber.token().await).send().await.unwrap();
    subscriber.answer(Answer::Never);
    let mut published = BTreeSet::new();
    for n in 0..10 {
        let sent = sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
        published.insert(sent.message_id.unwrap());
    }
    subscriber.wait_for("Notification", 1).await;
    process.kill();
    subscriber.answer(Answer::Status(200));
    let process = Process::start(directory.path());
    let done = until("all ten", async || {
        let mut seen = subscriber.seen("Notification");
        seen.retain(|seen| seen.status == 200);
        (ids(&seen) == published).then_some(seen)
    });
    for seen in done.await {
        verify(&seen.body, process.config().endpoint_url().unwrap()).await;
    }
}

#[tokio::test]
async fn what_is_called_off_does_not_come() {
    let policy = r#"{"throttlePolicy": {"maxReceivesPerSecond": 1}}"#;
    let (world, sns, topic, subscriber) = start_paced(policy).await;
    let arn = sns.list_subscriptions().send().await.unwrap().subscriptions()[0].subscription_arn().unwrap().to_owned();
    subscriber.answer(Answer::Never);
    for n in 0..4 {
        sns.publish().topic_arn(&topic).message(n.to_string()).send().await.unwrap();
    }
    subscriber.wait_for("Notification", 1).await;
    sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    assert_eq!(rows(&world), 0);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_in_the_dead_letter_queue() {
    let (world, sns, topic) = start().await;
    let client = world.sqs();
    let (dead_url, dead_arn) = queue(&client, "dead", &topic).await;
    let redrive = format!(r#"{{"deadLetterTargetArn": "{dead_arn}"}}"#);
    let (refusing, failing) = (Subscriber::start().await, Subscriber::start().await);
    let gone = Subscriber::start().await;
    for subscriber in [&refusing, &failing, &gone] {
        subscriber.subscribe(&world, &topic, &[("RedrivePolicy", &redrive)]).await;
    }
    refusing.answer(Answer::Status(404));
    failing.answer(Answer::Status(500));
    gone.stop().await;
    sns.publish().topic_arn(&topic).message("x").send().await.unwrap();
    let mut dead = Vec::new();
    until("three dead letters", async || {
        dead.extend(sqs::receive_within(&client, &dead_url, 1).await);
        (dead.len() == 3).then_some(())
    })
    .await;
    for body in sqs::bodies(&dead) {
        verify(body, &world.endpoint).await;
        assert!(body.contains(r#""Message":"x""#), "{body}");
    }
    assert_eq!(refusing.seen("Notification").len(), 1, "a refusal is not tried again");
    assert_eq!(failing.seen("Notification").len(), 4, "three retries are the default");
}
