//! `/v1/webhooks` as users see it.

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use serde_json::{Value, json};
use testing::{TestDatabase, databases};

use super::{Receiver, ask, get, path, rig, subscribe};

#[tokio::test]
async fn a_webhook_is_made_read_listed_changed_and_deleted() {
    for database in databases().await {
        let rig = rig(database, |_| ()).await;
        let receiver = Receiver::start(200).await;
        let made = subscribe(&rig, "alice", &receiver).await;
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.starts_with("whsec_") && secret.len() == 50, "32 bytes in base64");
        let shown = get(&rig, "alice", &path(&made)).await;
        assert_eq!(shown["url"], receiver.url);
        assert!(shown["secret"].is_null() && !shown.to_string().contains("whsec_"), "{shown}");
        assert_eq!(shown["events"].as_array().unwrap().len(), 4);
        let change = json!({ "description": "Mine", "events": ["file.error"], "enabled": false });
        let changed = ask(&rig, "alice", Method::PATCH, &path(&made), change, StatusCode::OK).await;
        assert_eq!(
            (changed["description"].as_str(), changed["disabled_reason"].as_str()),
            (Some("Mine"), Some("owner"))
        );
        assert_eq!((&changed["events"], &changed["url"]), (&json!(["file.error"]), &json!(receiver.url)));
        for _ in 0..2 {
            subscribe(&rig, "alice", &receiver).await;
        }
        let first = get(&rig, "alice", "/v1/webhooks?limit=2").await;
        assert_eq!(first["items"].as_array().unwrap().len(), 2);
        let next = format!("/v1/webhooks?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
        let rest = get(&rig, "alice", &next).await;
        assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&made["id"], &Value::Null));
        ask(&rig, "alice", Method::DELETE, &path(&made), Value::Null, StatusCode::NO_CONTENT).await;
        ask(&rig, "alice", Method::GET, &path(&made), Value::Null, StatusCode::NOT_FOUND).await;
        ask(&rig, "alice", Method::DELETE, &path(&made), Value::Null, StatusCode::NOT_FOUND).await;
    }
}

#[tokio::test]
async fn another_user_s_webhook_is_not_there_and_nothing_is_without_a_token() {
    let rig = rig(TestDatabase::sqlite(), |_| ()).await;
    let receiver = Receiver::start(200).await;
    let made = subscribe(&rig, "alice", &receiver).await;
    let test = format!("{}/test", path(&made));
    let sent = ask(&rig, "alice", Method::POST, &test, Value::Null, StatusCode::ACCEPTED).await;
    let one = format!("{}/deliveries/{}", path(&made), sent["id"].as_str().unwrap());
    let calls = [
        (Method::GET, path(&made)),
        (Method::PATCH, path(&made)),
        (Method::DELETE, path(&made)),
        (Method::POST, format!("{}/rotate-secret", path(&made))),
        (Method::POST, test),
        (Method::GET, format!("{}/deliveries", path(&made))),
        (Method::GET, one.clone()),
        (Method::POST, format!("{one}/replay")),
    ];
    for (method, path) in &calls {
        let body = if method == Method::PATCH { json!({ "url": "https://127.0.0.2/" }) } else { Value::Null };
        for user in ["bob", "root"] {
            ask(&rig, user, method.clone(), path, body.clone(), StatusCode::NOT_FOUND).await;
        }
        let none = [(AUTHORIZATION, HeaderValue::from_static(""))].into_iter().collect();
        let bare = rig.ask(method.clone(), path, "alice").headers(none).send().await.unwrap();
        assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    assert_eq!(get(&rig, "bob", "/v1/webhooks").await["items"], json!([]));
    for path in ["/v1/webhooks/x", "/v1/webhooks/%ff", "/v1/webhooks/../x"] {
        ask(&rig, "alice", Method::GET, path, Value::Null, StatusCode::NOT_FOUND).await;
    }
    let strange = format!("{}/deliveries/{}", path(&made), made["id"].as_str().unwrap());
    ask(&rig, "alice", Method::GET, &strange, Value::Null, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn webhooks_for_all_users_are_the_operators() {
    let rig = rig(TestDatabase::sqlite(), |config| {
        config.operators.operators.push("admin".parse().unwrap());
    })
    .await;
    let receiver = Receiver::start(200).await;
    let body = json!({ "url": receiver.url, "all_users": true });
    ask(&rig, "alice", Method::POST, "/v1/webhooks", body.clone(), StatusCode::FORBIDDEN).await;
    let made = ask(&rig, "root", Method::POST, "/v1/webhooks", body, StatusCode::CREATED).await;
    assert_eq!(get(&rig, "root", "/v1/webhooks").await["items"], json!([]), "it is not one of root's own");
    for operator in ["root", "admin"] {
        assert_eq!(get(&rig, operator, "/v1/webhooks?all_users=true").await["items"][0]["id"], made["id"]);
        get(&rig, operator, &path(&made)).await;
    }
    ask(&rig, "alice", Method::GET, "/v1/webhooks?all_users=true", Value::Null, StatusCode::FORBIDDEN).await;
    ask(&rig, "alice", Method::GET, &path(&made), Value::Null, StatusCode::NOT_FOUND).await;
    ask(&rig, "admin", Method::DELETE, &path(&made), Value::Null, StatusCode::NO_CONTENT).await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_reason() {
    let rig = rig(TestDatabase::sqlite(), |config| config.webhooks.webhooks_per_user = 2).await;
    let receiver = Receiver::start(200).await;
    let create = async |body: Value, status| ask(&rig, "alice", Method::POST, "/v1/webhooks", body, status).await;
    for url in [
        "https://localhost/",
        "https://127.0.0.2/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://10.1.2.3:8443/",
        "http://93.184.216.34/",
        "https://user:pass@93.184.216.34/",
        "https://93.184.216.34/#fragment",
        "https://93.184.216.34:22/",
        "https://name.invalid/",
        "nonsense",
    ] {
        let problem = create(json!({ "url": url }), StatusCode::BAD_REQUEST).await;
        assert_eq!(problem["type"], "urn:segue:problem:bad-url", "{url}: {problem}");
    }
    let made = subscribe(&rig, "alice", &receiver).await;
    let elsewhere = json!({ "url": "https://127.0.0.2/" });
    ask(&rig, "alice", Method::PATCH, &path(&made), elsewhere, StatusCode::BAD_REQUEST).await;
    assert_eq!(get(&rig, "alice", &path(&made)).await["url"], receiver.url);
    let url = &receiver.url;
    create(json!({ "url": url, "events": [] }), StatusCode::UNPROCESSABLE_ENTITY).await;
    create(json!({ "url": url, "events": ["file.lost"] }), StatusCode::UNPROCESSABLE_ENTITY).await;
    create(json!({ "url": url, "secrets": "x" }), StatusCode::UNPROCESSABLE_ENTITY).await;
    create(json!({ "url": url, "description": "x".repeat(501) }), StatusCode::BAD_REQUEST).await;
    create(json!({ "url": url, "description": "x".repeat(20_000) }), StatusCode::PAYLOAD_TOO_LARGE).await;
    for query in ["limit=0", "limit=101", "cursor=x", "all_users=maybe"] {
        ask(&rig, "alice", Method::GET, &format!("/v1/webhooks?{query}"), Value::Null, StatusCode::BAD_REQUEST).await;
    }
    let log = format!("{}/deliveries?state=lost", path(&made));
    ask(&rig, "alice", Method::GET, &log, Value::Null, StatusCode::BAD_REQUEST).await;
    subscribe(&rig, "alice", &receiver).await;
    let problem = create(json!({ "url": url }), StatusCode::CONFLICT).await;
    assert_eq!(problem["type"], "urn:segue:problem:too-many-webhooks");
    subscribe(&rig, "bob", &receiver).await;
}
