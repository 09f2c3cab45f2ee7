//! What becomes of results, and who sees it where.

use common::{FileDeleted, FileState, Timestamp, event::V1};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::eventually;

use crate::service::{PATIENCE, Service, result};

#[tokio::test]
async fn a_result_becomes_one_notice_for_its_owner_and_nobody_else() {
    for service in Service::each().await {
        let done = result("alice", "Jóga.mp3", FileState::Complete);
        // Twice, with a late failure and a late progress after it.
        service.publish(&done.encode()).await;
        let items = service.wait_for("alice", 1).await;
        for state in [FileState::Complete, FileState::Error, FileState::Transcoding] {
            let late = common::TranscodeResult { file_id: done.file_id, ..result("alice", "Jóga.mp3", state) };
            service.publish(&late.encode()).await;
        }
        // What was published last has come, so what was published before has been handled or is being.
        let failed = result("alice", "notes.mp3", FileState::Error);
        service.publish(&failed.encode()).await;
        service.publish(&result("alice", "b.wav", FileState::Canceled).encode()).await;
        service.wait_for("alice", 3).await;
        drained(&service).await;

        let notice = &items[0];
        assert_eq!(notice["text"], "Your file Jóga.mp3 has been processed");
        assert_eq!((&notice["kind"], &notice["level"]), (&json!("file_complete"), &json!("info")));
        assert_eq!(notice["file_id"], done.file_id.to_string());
        let mut members: Vec<&String> = notice.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["created_at", "file_id", "id", "kind", "level", "read_at", "text"]);
        assert!(notice["read_at"].is_null() && notice["created_at"].as_str().unwrap().ends_with('Z'));

        let list = service.json("alice", "/v1/messages").await;
        let texts: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|item| &item["text"]).collect();
        assert_eq!(texts.len(), 3, "{:?}: {texts:?}", service.database.kind());
        let reason = "Your file notes.mp3 could not be processed: The file could not be read as audio or video.";
        assert!(texts.contains(&&json!(reason)), "{texts:?}");
        assert_eq!((&list["unread"], &list["next_cursor"]), (&json!(3), &Value::Null));

        assert_eq!(
            service.json("bob", "/v1/messages?status=all").await,
            json!({ "items": [], "next_cursor": null, "unread": 0 })
        );
        assert_eq!(service.unread("bob").await, 0);
    }
}

/// Waits until no message of the queue is waiting or being handled.
async fn drained(service: &Service) {
    use aws_sdk_sqs::types::QueueAttributeName::{
        ApproximateNumberOfMessages as Waiting, ApproximateNumberOfMessagesNotVisible as InHand,
    };
    let (aws, names) = (service.world.aws(), service.world.names());
    let queue = queue::find::queue(&aws.sqs, names, common::names::RESULTS_MESSAGES).await.unwrap();
    eventually(PATIENCE, || async {
        let request = aws.sqs.get_queue_attributes().queue_url(&queue.url);
        let output = request.attribute_names(Waiting).attribute_names(InHand).send().await.unwrap();
        let all = output.attributes.unwrap();
        [Waiting, InHand].iter().all(|name| all[name] == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_message_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let service = Service::start().await;
    service.publish("no JSON at all").await;
    service.publish(r#"{"kind":"transcode_result","v":2}"#).await;
    service.complete("alice", "a.mp3", 1).await;
    let (aws, names) = (service.world.aws(), service.world.names());
    let queue = queue::find::queue(&aws.sqs, names, common::names::RESULTS_MESSAGES).await.unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        let request = aws.sqs.receive_message().queue_url(&queue.dead_letters_url).wait_time_seconds(10);
        let messages = request.max_number_of_messages(10).send().await.unwrap().messages.expect("dead letters");
        bodies.extend(messages.into_iter().filter_map(|message| message.body));
    }
    bodies.sort();
    assert_eq!(bodies, ["no JSON at all", r#"{"kind":"transcode_result","v":2}"#]);
}

#[tokio::test]
async fn pages_lead_from_the_newest_to_the_oldest() {
    let service = Service::start().await;
    for n in 1..=5 {
        service.complete("alice", &format!("{n}.mp3"), n).await;
        service.complete("bob", &format!("{n}.mp3"), n).await;
    }
    let mut texts = Vec::new();
    let mut path = "/v1/messages?limit=2".to_owned();
    loop {
        let page = service.json("alice", &path).await;
        assert_eq!(page["unread"], 5);
        texts.extend(page["items"].as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/messages?limit=2&cursor={cursor}");
    }
    let expected: Vec<String> = (1..=5).rev().map(|n| format!("Your file {n}.mp3 has been processed")).collect();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn a_bad_query_is_refused_with_a_reason() {
    let service = Service::start().await;
    for query in ["limit=0", "limit=101", "limit=x", "limit=", "cursor=x", "cursor=-1", "cursor=", "status=new"] {
        let response = service.get("alice", &format!("/v1/messages?{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{query}");
        let problem: Value = response.json().await.unwrap();
        assert!(!problem["request_id"].as_str().unwrap().is_empty(), "{problem}");
    }
    service.json("alice", "/v1/messages?limit=100&status=read").await;
}

#[tokio::test]
async fn nobody_hears_of_a_file_that_was_deleted() {
    for service in Service::each().await {
        let late = result("alice", "gone.mp3", FileState::Error);
        let deleted = FileDeleted { v: V1, file_id: late.file_id, owner: late.owner.clone(), at: Timestamp::now() };
        service.publish(&deleted.encode()).await;
        drained(&service).await;
        service.publish(&late.encode()).await;
        service.complete("alice", "kept.mp3", 1).await;
        drained(&service).await;
        let items = service.wait_for("alice", 1).await;
        assert_eq!(items.len(), 1);
        assert_eq!(items[0]["text"], "Your file kept.mp3 has been processed");
        assert_eq!(service.unread("alice").await, 1);
    }
}

#[tokio::test]
async fn the_owner_of_a_webhook_hears_once_that_it_was_switched_off() {
    for service in Service::each().await {
        let sample = include_str!("../../../../crates/common/tests/fixtures/webhook_disabled.json");
        service.publish(sample).await;
        service.publish(sample).await;
        drained(&service).await;
        let items = service.wait_for("auth0|alice", 1).await;
        assert_eq!(items.len(), 1);
        assert_eq!(
            (items[0]["kind"].as_str(), items[0]["level"].as_str()),
            (Some("webhook_disabled"), Some("warning"))
        );
        let text = "Your webhook at hooks.example.com was switched off: it has taken nothing for days";
        assert_eq!(items[0]["text"], text);
        assert!(items[0]["file_id"].is_null());
        assert_eq!(service.unread("auth0|alice").await, 1);
    }
}
