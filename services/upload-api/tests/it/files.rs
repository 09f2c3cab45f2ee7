//! Reading files: one's own only.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{app, apps, detail, media};

#[tokio::test]
async fn a_list_shows_ones_own_newest_first_in_pages() {
    for app in apps().await {
        let mut ids = Vec::new();
        for number in 0..5 {
            ids.push(app.upload("alice", &format!("{number}.mp3")).await.to_string());
        }
        app.upload("bob", "other.mp3").await;
        ids.reverse();
        let mut seen = Vec::new();
        let mut path = "/v1/files?limit=2".to_owned();
        for _ in 0..3 {
            let page: Value = app.get("alice", &path).await.json().await.unwrap();
            for file in page["items"].as_array().unwrap() {
                assert_eq!(file["outputs"].as_array().unwrap().len(), 3);
                seen.push(file["id"].as_str().unwrap().to_owned());
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/files?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, ids);
        let all: Value = app.get("alice", "/v1/files").await.json().await.unwrap();
        assert_eq!((all["items"].as_array().unwrap().len(), &all["next_cursor"]), (5, &Value::Null));
        let none: Value = app.get("carol", "/v1/files").await.json().await.unwrap();
        assert_eq!(none["items"], Value::Array(Vec::new()));
    }
}

#[tokio::test]
async fn bad_pages_are_refused() {
    let app = app(|_| {}).await;
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00"] {
        detail(app.get("alice", &format!("/v1/files?{query}")).await, 400).await;
    }
}

#[tokio::test]
async fn anothers_file_and_no_file_are_the_same() {
    for app in apps().await {
        let file = app.upload("alice", "song.mp3").await;
        let unknown = common::FileId::generate();
        let ids = [file.to_string(), unknown.to_string(), "x".to_owned(), "%00".to_owned(), "%ff".to_owned()];
        for id in ids {
            for (method, path) in [(Method::GET, ""), (Method::DELETE, ""), (Method::GET, "/outputs/wav")] {
                let response = app.request(method, "bob", &format!("/v1/files/{id}{path}")).send().await.unwrap();
                assert_eq!(detail(response, 404).await, "There is no such file.", "{id}{path}");
            }
        }
        assert_eq!(app.file("alice", file).await["state"], "queued");
    }
}

#[tokio::test]
async fn no_route_is_open() {
    let app = app(|_| {}).await;
    let id = app.upload("alice", "song.mp3").await;
    let routes = [
        (Method::POST, "/v1/files?filename=a.mp3".to_owned()),
        (Method::GET, "/v1/files".to_owned()),
        (Method::GET, format!("/v1/files/{id}")),
        (Method::DELETE, format!("/v1/files/{id}")),
        (Method::GET, format!("/v1/files/{id}/outputs/wav")),
    ];
    for (method, path) in routes {
        let request = app.client.request(method.clone(), format!("{}{path}", app.base)).body(media(100));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    assert_eq!(app.count("files").await, 1);
}
