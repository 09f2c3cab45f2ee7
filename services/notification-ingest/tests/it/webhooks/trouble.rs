//! Targets that are slow, gone or broken.

use common::{FileState, Timestamp, WebhookDisabled, event::DisabledReason, names};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::{TestDatabase, databases};

use super::{
    Receiver, ask, delivery, get, path, publish,
    receiver::{RETRY_AFTER, SILENCE},
    result, rig, subscribe,
};
use crate::rig::Rig;

/// What messages-api is told of a webhook that was switched off.
async fn told(rig: &Rig) -> Vec<WebhookDisabled> {
    let queue = rig.world.names().full(names::RESULTS_MESSAGES);
    let is_that = |body: &&String| body.contains("webhook_disabled");
    let bodies = rig.take_until(&queue, |bodies| bodies.iter().any(|body| is_that(&body))).await;
    bodies.iter().filter(is_that).map(|body| WebhookDisabled::decode(body).unwrap()).collect()
}

#[tokio::test]
async fn a_target_that_is_gone_is_switched_off_and_its_owner_told() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let receiver = Receiver::start(410).await;
        let hook = subscribe(&rig, "alice", &receiver).await;
        publish(&rig, &result("alice", FileState::Complete).encode()).await;
        delivery(&rig, "alice", &hook, "failed").await;
        let shown = get(&rig, "alice", &path(&hook)).await;
        assert_eq!((shown["enabled"].as_bool(), shown["disabled_reason"].as_str()), (Some(false), Some("gone")));
        let told = told(&rig).await;
        assert_eq!((told.len(), told[0].owner.as_str(), told[0].reason), (1, "alice", DisabledReason::Gone));
        assert_eq!(
            (told[0].webhook_id.to_string().as_str(), told[0].host.as_str()),
            (hook["id"].as_str().unwrap(), "127.0.0.1")
        );
        let test = format!("{}/test", path(&hook));
        ask(&rig, "alice", Method::POST, &test, Value::Null, StatusCode::CONFLICT).await;
        let on = ask(&rig, "alice", Method::PATCH, &path(&hook), json!({ "enabled": true }), StatusCode::OK).await;
        assert_eq!((on["enabled"].as_bool(), on["disabled_reason"].as_str()), (Some(true), None));
        receiver.answer(200);
        ask(&rig, "alice", Method::POST, &test, Value::Null, StatusCode::ACCEPTED).await;
        delivery(&rig, "alice", &hook, "delivered").await;
    }
}

#[tokio::test]
async fn a_target_that_fails_for_days_is_switched_off_and_its_owner_told() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let receiver = Receiver::start(500).await;
        let hook = subscribe(&rig, "alice", &receiver).await;
        publish(&rig, &result("alice", FileState::Complete).encode()).await;
        receiver.wait(1).await;
        let failing = || async { get(&rig, "alice", &path(&hook)).await["failing_since"].is_string().then_some(()) };
        testing::eventually(crate::rig::PATIENCE, failing).await;
        assert_eq!(get(&rig, "alice", &path(&hook)).await["enabled"], true, "one failure is none");
        // Five days ago and a little, as if it had failed ever since.
        rig.execute("UPDATE webhooks SET failing_since = failing_since - 432000000").await;
        publish(&rig, &result("alice", FileState::Error).encode()).await;
        let told = told(&rig).await;
        assert_eq!((told.len(), told[0].reason), (1, DisabledReason::Failing));
        let shown = get(&rig, "alice", &path(&hook)).await;
        assert_eq!((shown["enabled"].as_bool(), shown["disabled_reason"].as_str()), (Some(false), Some("failing")));
        let posts = receiver.posts().len();
        publish(&rig, &result("alice", FileState::Complete).encode()).await;
        let bobs = Receiver::start(200).await;
        subscribe(&rig, "bob", &bobs).await;
        publish(&rig, &result("bob", FileState::Complete).encode()).await;
        bobs.wait(1).await;
        assert_eq!(receiver.posts().len(), posts, "nothing more is posted to it");
    }
}

#[tokio::test]
async fn a_target_that_asks_for_time_is_given_it() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let receiver = Receiver::start(429).await;
        let hook = subscribe(&rig, "alice", &receiver).await;
        publish(&rig, &result("alice", FileState::Complete).encode()).await;
        receiver.wait(1).await;
        let newest = format!("{}/deliveries", path(&hook));
        let tried = testing::eventually(crate::rig::PATIENCE, || async {
            let newest = get(&rig, "alice", &newest).await["items"][0].clone();
            (newest["attempts"] == 1).then_some(newest)
        })
        .await;
        let next: Timestamp = serde_json::from_value(tried["next_attempt_at"].clone()).unwrap();
        let last: Timestamp = serde_json::from_value(tried["last_attempt"]["at"].clone()).unwrap();
        let pause = (next.as_millis() - last.as_millis()) / 1000;
        assert!((RETRY_AFTER..RETRY_AFTER + 60).contains(&pause), "its own delay would be five seconds: {tried}");
    }
}

#[tokio::test]
async fn a_silent_target_has_few_posts_at_once_and_delays_nobody_else() {
    for database in databases().await {
        let rig = rig(database, |config| {
            config.webhooks.webhooks_at_once = 1;
            config.webhooks.webhook_posts_at_once = 2;
            config.webhooks.webhook_seconds = 2;
        })
        .await;
        let (silent, prompt) = (Receiver::start(SILENCE).await, Receiver::start(200).await);
        let hook = subscribe(&rig, "alice", &silent).await;
        subscribe(&rig, "bob", &prompt).await;
        for _ in 0..20 {
            publish(&rig, &result("alice", FileState::Complete).encode()).await;
        }
        // From its first time-out on it waits among the slow.
        silent.wait(4).await;
        let start = std::time::Instant::now();
        for _ in 0..10 {
            publish(&rig, &result("bob", FileState::Complete).encode()).await;
        }
        prompt.wait(10).await;
        let pending = get(&rig, "alice", &format!("{}/deliveries?state=pending&limit=100", path(&hook))).await;
        assert_eq!(pending["items"].as_array().unwrap().len(), 20, "none of the silent one's is lost");
        // Behind twenty posts of two seconds each, two at a time, it would take twenty.
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
        assert_eq!(silent.most(), 2, "no more than two at once, and two when there are two");
    }
}

#[tokio::test]
async fn a_webhook_whose_host_is_no_longer_allowed_is_not_posted_to() {
    let database = TestDatabase::sqlite();
    let rig = rig(database, |_| ()).await;
    let (receiver, inside) = (Receiver::start(200).await, Receiver::start(200).await);
    let hook = subscribe(&rig, "alice", &receiver).await;
    let elsewhere = format!("UPDATE webhooks SET url = '{}'", inside.url.replace("127.0.0.1", "127.0.0.2"));
    rig.execute(Box::leak(elsewhere.into_boxed_str())).await;
    let test = format!("{}/test", path(&hook));
    ask(&rig, "alice", Method::POST, &test, Value::Null, StatusCode::ACCEPTED).await;
    let shown = delivery(&rig, "alice", &hook, "failed").await;
    assert!(shown["last_attempt"]["error"].as_str().unwrap().starts_with("not posted:"), "{shown}");
    assert!(inside.posts().is_empty() && receiver.posts().is_empty());
}
