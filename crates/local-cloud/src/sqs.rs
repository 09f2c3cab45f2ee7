//! SQS over JSON 1.0: queues and messages in SQLite, long polls woken by what they wait for.

mod acknowledge;
mod attributes;
mod batch;
mod deliver;
mod error;
mod handle;
mod message;
mod policy;
mod queue;
mod queues;
mod receive;
mod send;
mod sweep;
mod take;
mod waiting;

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{extract::Request, response::Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sigv4::AccessKeys;
use time::OffsetDateTime;

use crate::{Context, body};
use error::kind;
use waiting::Waiting;

pub(crate) use deliver::Outgoing;
pub(crate) use error::Error;
pub(crate) use message::{Attribute, Attributes, check_each_attribute, size as message_size};

/// `queue` in `sqs_messages` is not a foreign key: the ids of deleted queues are never used again,
/// and the check would cost on every message.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sqs_queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    policy TEXT,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sqs_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    visible_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    received_ms INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER NOT NULL DEFAULT 0,
    sent_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    trace TEXT,
    attributes TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sqs_messages_due ON sqs_messages (queue, visible_ms);
";

/// The service; one for the whole process.
pub(crate) struct Sqs {
    context: Arc<Context>,
    keys: AccessKeys,
    waiting: Arc<Waiting>,
    swept_ms: AtomicI64,
}

impl Sqs {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let keys = context.credentials.keys().iter().map(|key| (&key.id, &key.secret)).collect();
        Self { context, keys, waiting: Arc::default(), swept_ms: AtomicI64::new(0) }
    }

    /// Answers one request of the JSON protocol.
    pub(crate) async fn call(&self, request: Request) -> Response {
        let result = self.answer(request).await;
        error::respond(result)
    }

    async fn answer(&self, request: Request) -> Result<Value, Error> {
        let (parts, body) = request.into_parts();
        let body = body::read(body).await?;
        let verified = sigv4::verify(&parts, &body, "sqs", &self.keys, OffsetDateTime::now_utc())?;
        let region = &self.context.region;
        if verified.region != *region {
            return Err(sigv4::Error::Scope(format!("the region of this endpoint, '{region}'")).into());
        }
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = target.strip_prefix("AmazonSQS.").unwrap_or_default().to_owned();
        self.sweep_now_and_then();
        self.perform(&operation, &body, &verified.access_key_id).await
    }

    async fn perform(&self, operation: &str, body: &[u8], sender: &str) -> Result<Value, Error> {
        match operation {
            "CreateQueue" => answer(self.create_queue(parse(body)?).await),
            "GetQueueUrl" => answer(self.get_queue_url(parse(body)?).await),
            "ListQueues" => answer(self.list_queues(parse(body)?).await),
            "GetQueueAttributes" => answer(self.get_queue_attributes(parse(body)?).await),
            "SetQueueAttributes" => answer(self.set_queue_attributes(parse(body)?).await),
            "DeleteQueue" => answer(self.delete_queue(parse(body)?).await),
            "PurgeQueue" => answer(self.purge_queue(parse(body)?).await),
            "SendMessage" => answer(self.send_message(parse(body)?, sender).await),
            "SendMessageBatch" => answer(self.send_message_batch(parse(body)?, sender).await),
            "ReceiveMessage" => answer(self.receive_message(parse(body)?).await),
            "DeleteMessage" => answer(self.delete_message(parse(body)?).await),
            "DeleteMessageBatch" => answer(self.delete_message_batch(parse(body)?).await),
            "ChangeMessageVisibility" => answer(self.change_visibility(parse(body)?).await),
            "ChangeMessageVisibilityBatch" => answer(self.change_visibility_batch(parse(body)?).await),
            other => {
                let what = if other.is_empty() { "(none)" } else { other };
                Err(Error::client(kind::UNKNOWN_OPERATION, format!("The operation {what} is not available here.")))
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Error::client(kind::SERIALIZATION, format!("The request body cannot be read: {error}.")))
}

fn answer<T: Serialize>(result: Result<T, Error>) -> Result<Value, Error> {
    serde_json::to_value(result?).map_err(|error| Error::Internal(error.to_string()))
}

/// The clock that every deadline in the store is on: milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
