//! Webhooks: made by users, told of results, and kept from harm.

mod delivery;
mod receiver;
mod routes;
mod trouble;

use common::{FileId, FileState, Timestamp, TranscodeResult, event::V1, names};
use notification_ingest::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::{TestDatabase, eventually};

use crate::rig::{PATIENCE, Rig};
use receiver::Receiver;

/// A rig whose webhooks may point to this machine, and whose operator is root.
async fn rig(database: TestDatabase, change: impl FnOnce(&mut Config)) -> Rig {
    Rig::start_with(database, |config| {
        config.webhooks.webhook_private_hosts = vec!["127.0.0.1".parse().unwrap()];
        config.operators.operators = vec!["root".parse().unwrap()];
        change(config);
    })
    .await
}

/// Asks for `path`; the answer must have this status.
async fn ask(rig: &Rig, user: &str, method: Method, path: &str, body: Value, status: StatusCode) -> Value {
    let request = rig.ask(method.clone(), path, user);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    let (found, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(found, status, "{method} {path}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn get(rig: &Rig, user: &str, path: &str) -> Value {
    ask(rig, user, Method::GET, path, Value::Null, StatusCode::OK).await
}

/// Makes a webhook of `user` that points to `receiver`.
async fn subscribe(rig: &Rig, user: &str, receiver: &Receiver) -> Value {
    let body = json!({ "url": receiver.url });
    ask(rig, user, Method::POST, "/v1/webhooks", body, StatusCode::CREATED).await
}

/// The path of a webhook.
fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

fn result(owner: &str, state: FileState) -> TranscodeResult {
    let file_id = FileId::generate();
    TranscodeResult {
        v: V1,
        job_id: format!("job-{file_id}"),
        file_id,
        owner: owner.parse().unwrap(),
        filename: "song.mp3".parse().unwrap(),
        state,
        outputs: Vec::new(),
        progress: None,
        warning: None,
        error: None,
        at: Timestamp::now(),
    }
}

/// Publishes to the topic `results`.
async fn publish(rig: &Rig, body: &str) {
    let topic = format!("arn:aws:sns:us-east-1:000000000000:{}", rig.world.names().full(names::RESULTS));
    rig.world.aws().sns.publish().topic_arn(topic).message(body).send().await.unwrap();
}

/// Waits until the newest delivery of a webhook is in this state.
async fn delivery(rig: &Rig, user: &str, webhook: &Value, state: &str) -> Value {
    let path = format!("{}/deliveries", path(webhook));
    eventually(PATIENCE, || async {
        let newest = get(rig, user, &path).await["items"][0].clone();
        (newest["state"] == state).then_some(newest)
    })
    .await
}
