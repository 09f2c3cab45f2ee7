//! Sending.

use std::sync::Arc;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Sqs,
    attributes::LARGEST_MESSAGE,
    batch::{self, Batch, Outcome},
    deduplication::{First, Key},
    error::{Error, kind},
    fifo::{self, Fifo},
    groups,
    message::{self, Attributes},
    now_ms,
    queue::{self, NewMessage, Queue},
    waiting::{self, Waiting},
};
use crate::store::Transaction;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    queue_url: Option<String>,
    #[serde(flatten)]
    message: Parameters,
}

/// What `SendMessage` and an entry of `SendMessageBatch` have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parameters {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Attributes,
    #[serde(default)]
    message_system_attributes: Attributes,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sent {
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    body_md5: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_md5: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    system_md5: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// A message that is ready to be stored.
pub(super) struct Prepared {
    body: String,
    size: usize,
    attributes: Option<String>,
    trace: Option<String>,
    delay: Option<i64>,
    group: Option<String>,
    deduplication: Option<String>,
    /// In place of a deduplication id, where the queue wants that.
    digest: Option<String>,
    sender: Arc<str>,
    answer: Sent,
}

impl Sqs {
    pub(super) async fn send_message(&self, request: SendMessage, sender: &str) -> Result<Sent, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let prepared = prepare(request.message, sender.into())?;
        let waiting = self.waiting.clone();
        let send = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            store(tx, &queue, &waiting, prepared)
        };
        self.context.store.write(send).await
    }

    pub(super) async fn send_message_batch(
        &self,
        request: Batch<Parameters>,
        sender: &str,
    ) -> Result<Outcome<Sent>, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let entries = batch::check(request.entries)?;
        let sender: Arc<str> = sender.into();
        let prepared: Vec<(String, Result<Prepared, Error>)> =
            entries.into_iter().map(|entry| (entry.id, prepare(entry.rest, sender.clone()))).collect();
        let total: usize = prepared.iter().filter_map(|(_, entry)| entry.as_ref().ok()).map(|entry| entry.size).sum();
        if i64::try_from(total).unwrap_or(i64::MAX) > LARGEST_MESSAGE {
            let message =
                format!("Batch requests cannot be longer than {LARGEST_MESSAGE} bytes. You have sent {total} bytes.");
            return Err(Error::client(kind::BATCH_TOO_LONG, message));
        }
        let waiting = self.waiting.clone();
        let send = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            batch::each(prepared, |entry| store(tx, &queue, &waiting, entry?))
        };
        self.context.store.write(send).await
    }
}

/// All that needs no store, so that the one writing thread has little to do.
fn prepare(message: Parameters, sender: Arc<str>) -> Result<Prepared, Error> {
    let body = message.message_body.unwrap_or_default();
    message::check_body(&body)?;
    message::check_attributes(&message.message_attributes)?;
    if let Some(delay) = message.delay_seconds.filter(|delay| !(0..=900).contains(delay)) {
        return Err(Error::parameter("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900."));
    }
    let (group, deduplication) = (message.message_group_id, message.message_deduplication_id);
    for (name, token) in [("MessageGroupId", &group), ("MessageDeduplicationId", &deduplication)] {
        token.as_ref().map_or(Ok(()), |token| fifo::check_token(name, token))?;
    }
    let needs_digest = group.is_some() && deduplication.is_none();
    let attributes = match &message.message_attributes {
        none if none.is_empty() => None,
        some => Some(serde_json::to_string(some).map_err(|error| Error::Internal(error.to_string()))?),
    };
    let answer = Sent {
        message_id: Uuid::new_v4().to_string(),
        body_md5: message::body_md5(&body),
        attributes_md5: message::attributes_md5(&message.message_attributes),
        system_md5: message::attributes_md5(&message.message_system_attributes),
        sequence_number: None,
    };
    let size = message::size(&body, &message.message_attributes);
    let digest = needs_digest.then(|| hex::encode(digest::digest(&digest::SHA256, body.as_bytes())));
    let trace = trace(message.message_system_attributes)?;
    let delay = message.delay_seconds;
    Ok(Prepared { body, size, attributes, trace, delay, group, deduplication, digest, sender, answer })
}

/// `AWSTraceHeader` is the only system attribute that can be sent.
fn trace(mut attributes: Attributes) -> Result<Option<String>, Error> {
    let trace = attributes.remove("AWSTraceHeader").and_then(|attribute| attribute.string_value);
    match attributes.keys().next() {
        None => Ok(trace),
        Some(name) => {
            let message = format!("Message system attribute name '{name}' is invalid.");
            Err(Error::client(kind::INVALID_PARAMETER, message))
        }
    }
}

fn store(tx: &mut Transaction<'_>, queue: &Queue, waiting: &Arc<Waiting>, prepared: Prepared) -> Result<Sent, Error> {
    message::check_size(prepared.size, queue.settings.largest)?;
    match &queue.settings.fifo {
        Some(fifo) => store_once(tx, queue, fifo, waiting, prepared),
        None => store_always(tx, queue, waiting, prepared),
    }
}

/// Into a standard queue.
fn store_always(
    tx: &mut Transaction<'_>,
    queue: &Queue,
    waiting: &Arc<Waiting>,
    prepared: Prepared,
) -> Result<Sent, Error> {
    if let Some(id) = &prepared.deduplication {
        return Err(fifo::wrong_kind("MessageDeduplicationId", id));
    }
    let sent_ms = now_ms();
    let visible_ms = sent_ms + prepared.delay.unwrap_or(queue.settings.delay) * 1000;
    enqueue(tx, queue, waiting, &prepared.row(None, sent_ms, visible_ms))?;
    Ok(prepared.answer)
}

/// Into a FIFO queue, unless the same was sent a short while ago: then the answer is that of the
/// first time (SQS developer guide, "Exactly-once processing").
fn store_once(
    tx: &mut Transaction<'_>,
    queue: &Queue,
    fifo: &Fifo,
    waiting: &Arc<Waiting>,
    mut prepared: Prepared,
) -> Result<Sent, Error> {
    // Zero is let through, as AWS does.
    if let Some(delay) = prepared.delay.filter(|delay| *delay != 0) {
        return Err(fifo::wrong_kind("DelaySeconds", delay));
    }
    let group = prepared.group.as_deref().ok_or_else(|| Error::missing("MessageGroupId"))?;
    let digest = prepared.digest.as_deref().filter(|_| fifo.content_based);
    let deduplication = prepared.deduplication.as_deref().or(digest).ok_or_else(|| {
        let message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
                       provided explicitly";
        Error::client(kind::INVALID_PARAMETER, message)
    })?;
    let key = Key::new(queue.id, fifo, group, deduplication);
    let sent_ms = now_ms();
    let first = match key.find(tx, sent_ms)? {
        Some(first) => first,
        None => {
            let row = prepared.row(Some(deduplication), sent_ms, sent_ms + queue.settings.delay * 1000);
            let message = enqueue(tx, queue, waiting, &row)?;
            let first = First { message, message_id: prepared.answer.message_id.clone() };
            key.remember(tx, &first, sent_ms)?;
            first
        }
    };
    prepared.answer.sequence_number = Some(fifo::sequence(first.message));
    prepared.answer.message_id = first.message_id;
    Ok(prepared.answer)
}

impl Prepared {
    fn row<'a>(&'a self, deduplication: Option<&'a str>, sent_ms: i64, visible_ms: i64) -> NewMessage<'a> {
        NewMessage {
            id: &self.answer.message_id,
            sender: &self.sender,
            trace: self.trace.as_deref(),
            attributes: self.attributes.as_deref(),
            body: &self.body,
            group: self.group.as_deref(),
            deduplication,
            sent_ms,
            visible_ms,
        }
    }
}

/// Puts a message into a queue, wakes a poll after the commit and gives back the message's id.
pub(super) fn enqueue(
    tx: &mut Transaction<'_>,
    queue: &Queue,
    waiting: &Arc<Waiting>,
    message: &NewMessage<'_>,
) -> Result<i64, Error> {
    let id = queue::insert(tx, queue.id, message)?;
    if let Some(group) = message.group.filter(|_| queue.is_fifo()) {
        groups::arrived(tx, queue.id, group, message.visible_ms)?;
    }
    waiting::wake(tx, waiting, &queue.name, message.visible_ms, message.sent_ms);
    Ok(id)
}
