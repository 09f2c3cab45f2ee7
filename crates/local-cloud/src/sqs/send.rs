//! Sending.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Sqs,
    attributes::LARGEST_MESSAGE,
    batch::{self, Batch, Outcome},
    error::{Error, kind},
    message::{self, Attributes},
    now_ms,
    queue::{self, NewMessage, Queue},
    waiting::Waiting,
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
}

/// A message that is ready to be stored.
pub(super) struct Prepared {
    body: String,
    size: usize,
    attributes: Option<String>,
    trace: Option<String>,
    delay: Option<i64>,
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
    let attributes = match &message.message_attributes {
        none if none.is_empty() => None,
        some => Some(serde_json::to_string(some).map_err(|error| Error::Internal(error.to_string()))?),
    };
    let answer = Sent {
        message_id: Uuid::new_v4().to_string(),
        body_md5: message::body_md5(&body),
        attributes_md5: message::attributes_md5(&message.message_attributes),
        system_md5: message::attributes_md5(&message.message_system_attributes),
    };
    let size = message::size(&body, &message.message_attributes);
    let trace = trace(message.message_system_attributes)?;
    Ok(Prepared { body, size, attributes, trace, delay: message.delay_seconds, sender, answer })
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
    let sent_ms = now_ms();
    let visible_ms = sent_ms + prepared.delay.unwrap_or(queue.settings.delay) * 1000;
    let row = NewMessage {
        id: &prepared.answer.message_id,
        sender: &prepared.sender,
        trace: prepared.trace.as_deref(),
        attributes: prepared.attributes.as_deref(),
        body: &prepared.body,
        sent_ms,
        visible_ms,
    };
    queue::insert(tx, queue.id, &row)?;
    let (waiting, name) = (waiting.clone(), queue.name.clone());
    tx.after_commit(move || match visible_ms {
        due_ms if due_ms > sent_ms => waiting.visible_at(&name, due_ms, sent_ms),
        _ => waiting.visible(&name, 1),
    });
    Ok(prepared.answer)
}
