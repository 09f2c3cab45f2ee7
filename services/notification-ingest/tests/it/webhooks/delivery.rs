//! From a result to a signed post.

use common::FileState;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::{TestDatabase, databases};

use super::{Receiver, ask, delivery, get, path, publish, result, rig, subscribe};

#[tokio::test]
async fn each_result_is_posted_once_to_each_of_its_owner_s_webhooks_and_to_operators() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let (own, bobs, all) = (Receiver::start(200).await, Receiver::start(200).await, Receiver::start(204).await);
        let hook = subscribe(&rig, "alice", &own).await;
        subscribe(&rig, "bob", &bobs).await;
        let body = json!({ "url": all.url, "all_users": true, "events": ["file.complete"] });
        ask(&rig, "root", Method::POST, "/v1/webhooks", body, StatusCode::CREATED).await;

        let (start, end) = (result("alice", FileState::Transcoding), result("alice", FileState::Complete));
        let mut again = end.clone();
        again.at = common::Timestamp::from_millis(end.at.as_millis() + 60_000);
        for message in [&start, &end, &end, &again, &start] {
            publish(&rig, &message.encode()).await;
        }
        let last = result("alice", FileState::Error);
        publish(&rig, &last.encode()).await;
        publish(&rig, &result("bob", FileState::Complete).encode()).await;

        let posts = own.wait(3).await;
        all.wait(2).await;
        bobs.wait(1).await;
        delivery(&rig, "alice", &hook, "delivered").await;
        assert_eq!((own.posts().len(), all.posts().len(), bobs.posts().len()), (3, 2, 1));
        let secret = hook["secret"].as_str().unwrap();
        let mut kinds = Vec::new();
        for post in &posts {
            assert!(post.is_signed_with(secret), "{post:?}");
            let body: Value = serde_json::from_str(&post.body).unwrap();
            assert_eq!(body["data"]["owner"], "alice");
            kinds.push(body["type"].as_str().unwrap().to_owned());
        }
        kinds.sort();
        assert_eq!(kinds, ["file.complete", "file.error", "file.transcoding"]);
        let log = get(&rig, "alice", &format!("{}/deliveries?state=delivered&limit=2", path(&hook))).await;
        assert_eq!(log["items"].as_array().unwrap().len(), 2);
        let whole = format!("{}/deliveries/{}", path(&hook), posts[0].id);
        let whole = get(&rig, "alice", &whole).await;
        assert_eq!(whole["body"], serde_json::from_str::<Value>(&posts[0].body).unwrap());
        assert_eq!(
            (whole["log"][0]["status"].as_i64(), whole["log"][0]["response"].as_str()),
            (Some(200), Some("thanks"))
        );
        assert!(whole["log"][0]["latency_ms"].as_i64().unwrap() < 10_000);
    }
}

#[tokio::test]
async fn a_failed_post_comes_again_under_the_same_id_and_so_does_a_replay() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let receiver = Receiver::start(503).await;
        let hook = subscribe(&rig, "alice", &receiver).await;
        publish(&rig, &result("alice", FileState::Complete).encode()).await;
        let first = receiver.wait(1).await.remove(0);
        receiver.answer(200);
        // The first delay is five seconds.
        let second = receiver.wait(2).await.remove(1);
        assert_eq!((&second.id, &second.body), (&first.id, &first.body));
        assert_ne!(second.timestamp, first.timestamp, "it is signed anew");
        let shown = delivery(&rig, "alice", &hook, "delivered").await;
        assert_eq!(shown["attempts"], 2);
        assert!(get(&rig, "alice", &path(&hook)).await["failing_since"].is_null());

        let replay = format!("{}/deliveries/{}/replay", path(&hook), first.id);
        let asked = ask(&rig, "alice", Method::POST, &replay, Value::Null, StatusCode::ACCEPTED).await;
        assert_eq!(asked["state"], "pending");
        assert_eq!(receiver.wait(3).await[2].id, first.id);
    }
}

#[tokio::test]
async fn a_test_is_posted_once_and_shown_in_the_log() {
    let rig = rig(TestDatabase::sqlite(), |_| ()).await;
    let receiver = Receiver::start(500).await;
    let hook = subscribe(&rig, "alice", &receiver).await;
    let test = format!("{}/test", path(&hook));
    let sent = ask(&rig, "alice", Method::POST, &test, Value::Null, StatusCode::ACCEPTED).await;
    assert_eq!((sent["event"].as_str(), sent["state"].as_str()), (Some("webhook.test"), Some("pending")));
    let shown = delivery(&rig, "alice", &hook, "failed").await;
    assert_eq!((shown["attempts"].as_i64(), shown["last_attempt"]["status"].as_i64()), (Some(1), Some(500)));
    let post = receiver.wait(1).await.remove(0);
    assert_eq!(post.id, sent["id"].as_str().unwrap());
    assert!(post.is_signed_with(hook["secret"].as_str().unwrap()));
    assert!(get(&rig, "alice", &path(&hook)).await["failing_since"].is_null(), "a test is no failure");
}

#[tokio::test]
async fn both_secrets_sign_after_a_rotation() {
    let rig = rig(TestDatabase::sqlite(), |_| ()).await;
    let receiver = Receiver::start(200).await;
    let hook = subscribe(&rig, "alice", &receiver).await;
    let rotate = format!("{}/rotate-secret", path(&hook));
    let rotated = ask(&rig, "alice", Method::POST, &rotate, Value::Null, StatusCode::OK).await;
    publish(&rig, &result("alice", FileState::Complete).encode()).await;
    let post = receiver.wait(1).await.remove(0);
    assert_eq!(post.signatures.len(), 2);
    for secret in [&hook["secret"], &rotated["secret"]] {
        assert!(post.is_signed_with(secret.as_str().unwrap()));
    }
    assert_ne!(hook["secret"], rotated["secret"]);
    assert_eq!(get(&rig, "alice", &path(&hook)).await["old_secret_expires_at"], rotated["old_secret_expires_at"]);
}
