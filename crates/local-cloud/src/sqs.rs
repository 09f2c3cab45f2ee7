//! SQS over JSON 1.0 and the older query protocol: queues and messages in SQLite, long polls woken by what they wait for.

mod acknowledge;
mod attributes;
mod batch;
mod dead_letters;
mod deduplication;
mod delay;
mod deliver;
mod error;
mod fifo;
mod groups;
mod handle;
mod in_flight;
mod message;
mod moves;
mod permissions;
mod purge;
mod query;
mod queue;
mod queues;
mod receive;
mod redrive;
mod schema;
mod send;
mod sweep;
mod tags;
mod take;
mod waiting;

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::request::Parts,
    response::Response,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sigv4::AccessKeys;
use tokio::sync::OnceCell;

use crate::{Context, admission};
use error::kind;
use in_flight::InFlight;
use waiting::Waiting;

pub(crate) use deliver::Outgoing;
pub(crate) use error::Error;
pub(crate) use message::{Attribute, Attributes, check_each_attribute, size as message_size};
pub(crate) use schema::SCHEMA;

/// What fills the store, and is refused when the disk is full. What sets up queues is not: a consumer may begin with
/// that before it empties one.
const GROWING: [&str; 2] = ["SendMessage", "SendMessageBatch"];

/// The service; one for the whole process.
pub(crate) struct Sqs {
    context: Arc<Context>,
    keys: AccessKeys,
    waiting: Arc<Waiting>,
    in_flight: Arc<InFlight>,
    swept_ms: AtomicI64,
    resumed: OnceCell<()>,
}

impl Sqs {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let keys = context.credentials.keys().iter().map(|key| (&key.id, &key.secret)).collect();
        Self {
            context,
            keys,
            waiting: Arc::default(),
            in_flight: Arc::default(),
            swept_ms: AtomicI64::new(0),
            resumed: OnceCell::new(),
        }
    }

    /// Answers one request of either protocol.
    pub(crate) async fn call(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let target = target.and_then(|target| target.strip_prefix("AmazonSQS.")).map(str::to_owned);
        let body = self.admit(&parts, body).await;
        let Some(operation) = target else { return self.call_query(&parts, body).await };
        let result = match body {
            Ok((body, sender)) => self.perform(&operation, &body, &sender).await,
            Err(error) => Err(error),
        };
        error::respond(result)
    }

    async fn call_query(&self, parts: &Parts, admitted: Result<(Bytes, String), Error>) -> Response {
        let parsed = admitted.and_then(|(body, sender)| Ok((query::parse(parts, &body)?, sender)));
        match parsed {
            Ok((query, sender)) => {
                let result = self.perform(&query.operation, &query.body, &sender).await;
                query::respond(&query.operation, result)
            }
            Err(error) => query::respond("", Err(error)),
        }
    }

    /// The body of a request that is signed by one of our keys, and the key's id.
    async fn admit(&self, parts: &Parts, body: Body) -> Result<(Bytes, String), Error> {
        let admitted = admission::admit::<Error>(parts, body, ("sqs", &self.context.region), &self.keys).await?;
        self.sweep_now_and_then();
        // Here and not at the start: there is a runtime now, and nobody could have seen it before.
        self.resumed.get_or_try_init(|| self.resume_moves()).await?;
        Ok(admitted)
    }

    async fn perform(&self, operation: &str, body: &[u8], sender: &str) -> Result<Value, Error> {
        let grows = GROWING.contains(&operation);
        let _room = grows.then(|| self.context.store.space().admit(body.len())).transpose()?;
        match operation {
            "CreateQueue" => answer(self.create_queue(parse(body)?).await),
            "GetQueueUrl" => answer(self.get_queue_url(parse(body)?).await),
            "ListDeadLetterSourceQueues" => answer(self.list_dead_letter_sources(parse(body)?).await),
            "ListQueues" => answer(self.list_queues(parse(body)?).await),
            "GetQueueAttributes" => answer(self.get_queue_attributes(parse(body)?).await),
            "SetQueueAttributes" => answer(self.set_queue_attributes(parse(body)?).await),
            "DeleteQueue" => answer(self.delete_queue(parse(body)?).await),
            "PurgeQueue" => answer(self.purge_queue(parse(body)?).await),
            "AddPermission" => answer(self.add_permission(parse(body)?).await),
            "RemovePermission" => answer(self.remove_permission(parse(body)?).await),
            "TagQueue" => answer(self.tag_queue(parse(body)?).await),
            "UntagQueue" => answer(self.untag_queue(parse(body)?).await),
            "ListQueueTags" => answer(self.list_queue_tags(parse(body)?).await),
            "StartMessageMoveTask" => answer(self.start_move(parse(body)?).await),
            "ListMessageMoveTasks" => answer(self.list_moves(parse(body)?).await),
            "CancelMessageMoveTask" => answer(self.cancel_move(parse(body)?).await),
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
