//! Deleting received messages, and changing how long they stay hidden.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;

use super::{
    Sqs,
    batch::{self, Batch, Outcome},
    error::{Error, kind},
    groups,
    handle::Handle,
    in_flight::InFlight,
    now_ms,
    queue::{self, Queue},
    queues::Nothing,
    waiting::{self, Waiting},
};
use crate::store::Transaction;

/// The longest that a message stays hidden after a receive, in seconds (SQS API, ChangeMessageVisibility).
const LONGEST_HIDDEN: i64 = 43_200;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    queue_url: Option<String>,
    #[serde(flatten)]
    parameters: Deletion,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deletion {
    receipt_handle: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    queue_url: Option<String>,
    #[serde(flatten)]
    parameters: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Change {
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

impl Sqs {
    pub(super) async fn delete_message(&self, request: DeleteMessage) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let (waiting, in_flight) = (self.waiting.clone(), self.in_flight.clone());
        let delete = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            delete(tx, &queue, &waiting, &in_flight, &request.parameters)
        };
        self.context.store.write(delete).await
    }

    pub(super) async fn delete_message_batch(&self, request: Batch<Deletion>) -> Result<Outcome<Nothing>, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let entries: Vec<_> = batch::check(request.entries)?.into_iter().map(|entry| (entry.id, entry.rest)).collect();
        let (waiting, in_flight) = (self.waiting.clone(), self.in_flight.clone());
        let delete = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            batch::each(entries, |entry| delete(tx, &queue, &waiting, &in_flight, &entry))
        };
        self.context.store.write(delete).await
    }

    pub(super) async fn change_visibility(&self, request: ChangeVisibility) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let waiting = self.waiting.clone();
        let change = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            change(tx, &queue, &waiting, &request.parameters)
        };
        self.context.store.write(change).await
    }

    pub(super) async fn change_visibility_batch(&self, request: Batch<Change>) -> Result<Outcome<Nothing>, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let entries: Vec<_> = batch::check(request.entries)?.into_iter().map(|entry| (entry.id, entry.rest)).collect();
        let waiting = self.waiting.clone();
        let change = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            batch::each(entries, |entry| change(tx, &queue, &waiting, &entry))
        };
        self.context.store.write(change).await
    }
}

/// With a handle that is not the newest, the request succeeds and the message stays; deleting
/// twice is fine (SQS API, DeleteMessage).
fn delete(
    tx: &mut Transaction<'_>,
    queue: &Queue,
    waiting: &Arc<Waiting>,
    in_flight: &Arc<InFlight>,
    deletion: &Deletion,
) -> Result<Nothing, Error> {
    let text = deletion.receipt_handle.as_deref();
    let handle = parse(queue, text)?;
    if queue.is_fifo() {
        check_in_time(tx, &handle, text.unwrap_or_default())?;
    }
    let deleted: Option<(Option<String>, i64)> = tx
        .prepare_cached(
            "DELETE FROM sqs_messages WHERE id = ?1 AND queue = ?2 AND receives = ?3
             RETURNING message_group, visible_ms",
        )?
        .query_row([handle.message, handle.queue, handle.receives], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((group, visible_ms)) = deleted else { return Ok(Nothing {}) };
    if visible_ms > now_ms() {
        let (in_flight, queue) = (in_flight.clone(), queue.id);
        tx.after_commit(move || in_flight.remove(queue));
    }
    if let Some(group) = group.filter(|_| queue.is_fifo()) {
        let due_ms = groups::refresh(tx, queue.id, &group)?;
        due_ms.into_iter().for_each(|due_ms| waiting::wake(tx, waiting, &queue.name, due_ms, now_ms()));
    }
    Ok(Nothing {})
}

/// In a FIFO queue a handle is good for as long as its message is hidden: after that, the message may
/// have been handed out again (SQS API, DeleteMessage).
fn check_in_time(connection: &Connection, handle: &Handle, text: &str) -> Result<(), Error> {
    let mut statement =
        connection.prepare_cached("SELECT receives, visible_ms FROM sqs_messages WHERE id = ?1 AND queue = ?2")?;
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    match statement.query_row([handle.message, handle.queue], read).optional()? {
        Some((receives, visible_ms)) if receives != handle.receives || visible_ms <= now_ms() => {
            Err(Error::parameter("ReceiptHandle", text, "The receipt handle has expired."))
        }
        _ => Ok(()),
    }
}

fn change(tx: &mut Transaction<'_>, queue: &Queue, waiting: &Arc<Waiting>, change: &Change) -> Result<Nothing, Error> {
    let timeout = change.visibility_timeout.ok_or_else(|| Error::missing("VisibilityTimeout"))?;
    if !(0..=LONGEST_HIDDEN).contains(&timeout) {
        return Err(Error::parameter("VisibilityTimeout", timeout, "Must be between 0 and 43200."));
    }
    let handle = parse(queue, change.receipt_handle.as_deref())?;
    let (visible_ms, received_ms, group) = tx
        .prepare_cached(
            "SELECT visible_ms, received_ms, message_group FROM sqs_messages
             WHERE id = ?1 AND queue = ?2 AND receives = ?3",
        )?
        .query_row([handle.message, handle.queue, handle.receives], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?))
        })
        .optional()?
        .ok_or_else(|| {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            Error::parameter("ReceiptHandle", change.receipt_handle.as_deref().unwrap_or_default(), reason)
        })?;
    let now = now_ms();
    if visible_ms <= now {
        return Err(Error::client(kind::NOT_IN_FLIGHT, "The specified message isn't in flight."));
    }
    let due_ms = now + timeout * 1000;
    if due_ms > received_ms + LONGEST_HIDDEN * 1000 {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].";
        return Err(Error::parameter("VisibilityTimeout", timeout, reason));
    }
    tx.prepare_cached("UPDATE sqs_messages SET visible_ms = ?2 WHERE id = ?1")?
        .execute(params![handle.message, due_ms])?;
    let due_ms = match group.filter(|_| queue.is_fifo()) {
        Some(group) => groups::refresh(tx, queue.id, &group)?.unwrap_or(due_ms),
        None => due_ms,
    };
    waiting::wake(tx, waiting, &queue.name, due_ms, now);
    Ok(Nothing {})
}

fn parse(queue: &Queue, text: Option<&str>) -> Result<Handle, Error> {
    let text = text.filter(|text| !text.is_empty()).ok_or_else(|| Error::missing("ReceiptHandle"))?;
    Handle::decode(text).filter(|handle| handle.queue == queue.id).ok_or_else(|| {
        let message = format!("The input receipt handle \"{text}\" is not a valid receipt handle.");
        Error::client(kind::INVALID_HANDLE, message)
    })
}
