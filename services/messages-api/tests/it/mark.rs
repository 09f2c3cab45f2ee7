//! Marking as read and unread.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::service::Service;

#[tokio::test]
async fn a_read_notice_leaves_the_unread_list_and_can_come_back() {
    let service = Service::start().await;
    service.complete("alice", "a.mp3", 1).await;
    service.complete("alice", "b.mp3", 2).await;
    let id = service.json("alice", "/v1/messages").await["items"][0]["id"].as_str().unwrap().to_owned();

    for _ in 0..2 {
        assert_eq!(service.post("alice", &format!("/v1/messages/{id}/read")).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(service.unread("alice").await, 1);
    }
    let unread = service.json("alice", "/v1/messages").await;
    assert_eq!((unread["items"].as_array().unwrap().len(), &unread["unread"]), (1, &json!(1)));
    let read = service.json("alice", "/v1/messages?status=read").await;
    assert_eq!((&read["items"][0]["id"], &read["unread"]), (&json!(id), &json!(1)));
    assert!(read["items"][0]["read_at"].is_string());

    for _ in 0..2 {
        assert_eq!(service.post("alice", &format!("/v1/messages/{id}/unread")).await.status(), StatusCode::NO_CONTENT);
        assert_eq!(service.unread("alice").await, 2);
    }
    assert_eq!(service.json("alice", "/v1/messages?status=read").await["items"], json!([]));
}

#[tokio::test]
async fn reading_one_notice_many_times_at_once_counts_once() {
    for service in Service::each().await {
        for n in 1..=3 {
            service.complete("alice", "a.mp3", n).await;
        }
        let id = service.json("alice", "/v1/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/messages/{id}/read");
        for response in join_all((0..8).map(|_| service.post("alice", &path))).await {
            assert_eq!(response.status(), StatusCode::NO_CONTENT);
        }
        assert_eq!(service.unread("alice").await, 2, "{:?}", service.database.kind());
    }
}

#[tokio::test]
async fn read_all_tells_how_many_and_touches_nobody_else() {
    let service = Service::start().await;
    for n in 1..=3 {
        service.complete("alice", "a.mp3", n).await;
    }
    service.complete("bob", "b.mp3", 1).await;
    for read in [3, 0] {
        let response = service.post("alice", "/v1/messages/read-all").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.json::<serde_json::Value>().await.unwrap(), json!({ "read": read }));
    }
    assert_eq!((service.unread("alice").await, service.unread("bob").await), (0, 1));
    assert_eq!(service.post("carol", "/v1/messages/read-all").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_there_or_not_yours_is_404() {
    let service = Service::start().await;
    service.complete("alice", "a.mp3", 1).await;
    let id = service.json("alice", "/v1/messages").await["items"][0]["id"].as_str().unwrap().to_owned();
    let upper = id.to_uppercase();
    let unknown = common::NoticeId::generate().to_string();
    for (user, id) in [("bob", &*id), ("alice", &unknown), ("alice", "x"), ("alice", "%FF"), ("alice", &upper)] {
        for verb in ["read", "unread"] {
            let response = service.post(user, &format!("/v1/messages/{id}/{verb}")).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{user} {id} {verb}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    assert_eq!(service.unread("alice").await, 1);
}
