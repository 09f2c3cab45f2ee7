use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::{
    credentials::Credentials,
    sns::{
        SCHEMA, SnsTimes,
        protocol::Protocol,
        subscription::{self, Consent, Settings, Subscription},
    },
    sqs::{self, Sqs},
    store::Store,
};
use std::{path::Path, sync::Arc};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:events";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:inbox";
const BUCKET: &str = "arn:aws:s3:::bucket";

/// The service over a directory; its courier runs only when it is started.
fn open(directory: &Path) -> Arc<Sns> {
    let path = directory.join("db");
    let store = Store::open(&path, &[sqs::SCHEMA, SCHEMA].join("\n"), ()).unwrap();
    let context = Arc::new(crate::Context {
        store,
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        public_endpoint: "http://127.0.0.1:1".to_owned(),
        data_dir: directory.to_owned(),
        credentials: Credentials::open(vec!["abc:longsecret".parse().unwrap()], Path::new("")).unwrap(),
    });
    let sqs = Arc::new(Sqs::new(context.clone()));
    Arc::new(Sns::new(context, sqs, SnsTimes::default()))
}

/// A topic, with a policy for S3 or without, and a queue that gets its messages in envelopes.
fn prepare(connection: &Connection, is_open: bool) -> Result<(), Error> {
    let allow = |service: &str, action: &str, resource: &str| {
        let principal = json!({ "Service": service });
        json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource } })
            .to_string()
    };
    let policy = if is_open { allow("s3.amazonaws.com", "SNS:Publish", TOPIC) } else { String::new() };
    let attributes = json!({ "Policy": policy }).to_string();
    connection.execute("INSERT INTO sns_topics (name, attributes, tags) VALUES ('events', ?1, '{}')", [attributes])?;
    connection.execute(
        "INSERT INTO sqs_queues (name, settings, policy, tags, created_ms, modified_ms) VALUES ('inbox', ?1, ?2, '{}', 0, 0)",
        params![queue_settings(), allow("sns.amazonaws.com", "sqs:SendMessage", QUEUE)],
    )?;
    let subscription = Subscription {
        id: 0,
        arn: format!("{TOPIC}:1"),
        topic: "events".to_owned(),
        protocol: Protocol::Sqs,
        endpoint: QUEUE.to_owned(),
        raw: false,
        settings: Settings::default(),
        consent: Consent::default(),
    };
    subscription::insert(connection, &subscription)
}

/// A queue's settings are SQS's own affair; these are what every version reads.
fn queue_settings() -> String {
    json!({
        "visibility_timeout": 30, "retention": 345_600, "delay": 0, "wait": 0, "largest": 262_144, "redrive": null,
    })
    .to_string()
}

async fn publish(sns: &Arc<Sns>, topic_arn: &'static str, body: String) -> Result<(), Refusal> {
    let service = sns.clone();
    let write = move |tx: &mut Transaction<'_>| {
        let message = ServiceMessage {
            service: "s3.amazonaws.com",
            source_arn: BUCKET,
            topic_arn,
            subject: Some("Amazon S3 Notification"),
            body: &body,
        };
        service.publish_from_service(tx, &message)
    };
    sns.context().store.write(write).await.unwrap()
}

async fn bodies(sns: &Sns) -> Vec<String> {
    let read = |connection: &Connection| -> Result<Vec<String>, Error> {
        let mut statement = connection.prepare("SELECT body FROM sqs_messages ORDER BY id")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    sns.context().store.read(read).await.unwrap()
}

async fn wait_for_bodies(sns: &Sns, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let bodies = bodies(sns).await;
        if bodies.len() >= count {
            return bodies;
        }
        assert!(Instant::now() < deadline, "{} of {count} came", bodies.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_a_service_publishes_is_signed_and_delivered_even_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let sns = open(directory.path());
    sns.context().store.write(|tx: &mut Transaction<'_>| prepare(tx, true)).await.unwrap();
    publish(&sns, TOPIC, "one".to_owned()).await.unwrap();
    assert!(bodies(&sns).await.is_empty(), "nobody has signed it yet");
    drop(sns);
    let sns = open(directory.path());
    sns.start();
    wait_for_bodies(&sns, 1).await;
    publish(&sns, TOPIC, "two".to_owned()).await.unwrap();
    let bodies = wait_for_bodies(&sns, 2).await;
    for (body, text) in bodies.iter().zip(["one", "two"]) {
        let envelope: Value = serde_json::from_str(body).unwrap();
        assert_eq!((&envelope["Message"], &envelope["Subject"]), (&json!(text), &json!("Amazon S3 Notification")));
        assert!(envelope["Signature"].is_string(), "{envelope}");
    }
}

#[tokio::test]
async fn a_topic_must_be_there_and_allow_it() {
    let directory = tempfile::tempdir().unwrap();
    let sns = open(directory.path());
    sns.context().store.write(|tx: &mut Transaction<'_>| prepare(tx, false)).await.unwrap();
    assert_eq!(publish(&sns, TOPIC, "x".to_owned()).await, Err(Refusal::NotAllowed));
    let other = "arn:aws:sns:us-east-1:000000000000:other";
    assert_eq!(publish(&sns, other, "x".to_owned()).await, Err(Refusal::NoSuchTopic));
    assert_eq!(publish(&sns, "arn:aws:sqs:us-east-1:000000000000:q", "x".to_owned()).await, Err(Refusal::NoSuchTopic));
    let open_it = |tx: &mut Transaction<'_>| {
        let policy = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" } });
        let attributes = json!({ "Policy": policy.to_string() }).to_string();
        tx.execute("UPDATE sns_topics SET attributes = ?1", [attributes])?;
        Ok::<_, Error>(())
    };
    sns.context().store.write(open_it).await.unwrap();
    assert_eq!(publish(&sns, TOPIC, "x".repeat(LARGEST + 1)).await, Err(Refusal::TooLong));
    publish(&sns, TOPIC, "x".to_owned()).await.unwrap();
}
