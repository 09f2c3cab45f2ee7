//! Receiving, with long polls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::{
    Sqs,
    attributes::Redrive,
    error::Error,
    handle::Handle,
    message::{self, Attributes},
    now_ms,
    queue::{self, Queue},
    waiting::{Bell, PassOn, Waiting},
};
use crate::{Context, store::Transaction};

/// How many times one attempt looks again after it found messages that had expired or were to be
/// moved; what is left after that is found by the next.
const MOST_ROUNDS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    body_md5: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    attributes_md5: Option<String>,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    message_attributes: Attributes,
}

/// One look at a queue.
struct Attempt {
    queue: String,
    most: usize,
    timeout: Option<i64>,
}

/// What it brought.
struct Found {
    queue: Queue,
    rows: Vec<Stored>,
    /// When the next message becomes visible; the end of time when there is none.
    next_ms: i64,
}

/// A message as the store has it.
struct Stored {
    id: i64,
    receives: i64,
    first_received_ms: i64,
    sent_ms: i64,
    message_id: String,
    sender: String,
    trace: Option<String>,
    attributes: Option<String>,
    body: String,
}

impl Sqs {
    pub(super) async fn receive_message(&self, request: ReceiveMessage) -> Result<Received, Error> {
        let queue = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        check(&request)?;
        let most = request.max_number_of_messages.and_then(|most| usize::try_from(most).ok()).unwrap_or(1);
        let attempt = Arc::new(Attempt { queue, most, timeout: request.visibility_timeout });
        let found = self.poll(&attempt, request.wait_time_seconds).await?;
        let queue = found.queue.id;
        let messages = found.rows.into_iter().map(|row| message(queue, row, &request)).collect::<Result<_, _>>()?;
        Ok(Received { messages })
    }

    /// Looks, and looks again whenever something may have become visible, until the wait is over.
    async fn poll(&self, attempt: &Arc<Attempt>, wait: Option<i64>) -> Result<Found, Error> {
        let started = Instant::now();
        let bell = self.waiting.bell(&attempt.queue);
        loop {
            let mut woken = std::pin::pin!(bell.notify.notified());
            // Before looking, so that nothing that happens in between is missed.
            woken.as_mut().enable();
            let pass_on = PassOn::new(&bell);
            let found = self.look(attempt.clone(), bell.clone()).await?;
            pass_on.done();
            let wait = wait.unwrap_or(found.queue.settings.wait);
            let deadline = started + Duration::from_secs(wait.unsigned_abs());
            if !found.rows.is_empty() || Instant::now() >= deadline {
                return Ok(found);
            }
            let due = Duration::from_millis((found.next_ms.saturating_sub(now_ms())).max(0).unsigned_abs());
            let due = Instant::now().checked_add(due).unwrap_or(deadline);
            tokio::select! {
                () = woken => {}
                () = sleep_until(due.min(deadline)) => {}
            }
        }
    }

    async fn look(&self, attempt: Arc<Attempt>, bell: Arc<Bell>) -> Result<Found, Error> {
        let (context, waiting) = (self.context.clone(), self.waiting.clone());
        self.context.store.write(move |tx| attempt.run(tx, &context, &waiting, bell)).await
    }
}

fn check(request: &ReceiveMessage) -> Result<(), Error> {
    let within = |name: &str, value: Option<i64>, least: i64, most: i64| match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(Error::parameter(name, value, &format!("Must be between {least} and {most}, if provided.")))
        }
        _ => Ok(()),
    };
    within("MaxNumberOfMessages", request.max_number_of_messages, 1, 10)?;
    within("VisibilityTimeout", request.visibility_timeout, 0, 43_200)?;
    within("WaitTimeSeconds", request.wait_time_seconds, 0, 20)
}

impl Attempt {
    fn run(
        &self,
        tx: &mut Transaction<'_>,
        context: &Context,
        waiting: &Arc<Waiting>,
        bell: Arc<Bell>,
    ) -> Result<Found, Error> {
        let queue = queue::get(tx, &self.queue)?;
        let now = now_ms();
        let mut rows = self.take(tx, context, waiting, &queue, now)?;
        let due_ms = now + self.timeout.unwrap_or(queue.settings.visibility_timeout) * 1000;
        hide(tx, &mut rows, now, due_ms)?;
        let mut next_ms = i64::MAX;
        if rows.is_empty() {
            next_ms = next_due(tx, queue.id)?;
            tx.after_commit(move || bell.expect(next_ms));
        } else {
            let (waiting, name) = (waiting.clone(), queue.name.clone());
            tx.after_commit(move || waiting.visible_at(&name, due_ms, now));
        }
        Ok(Found { queue, rows, next_ms })
    }

    /// The messages to hand out, after removing what is too old and moving what was received too
    /// often. Those found stay in front of the rest, in the same order, until they are hidden.
    fn take(
        &self,
        tx: &mut Transaction<'_>,
        context: &Context,
        waiting: &Arc<Waiting>,
        queue: &Queue,
        now: i64,
    ) -> Result<Vec<Stored>, Error> {
        let expired = now - queue.settings.retention * 1000;
        let mut dead = DeadLetters::find(tx, context, queue.settings.redrive.as_ref())?;
        let mut good: Vec<Stored> = Vec::with_capacity(self.most);
        for _ in 0..MOST_ROUNDS {
            let rows = visible(tx, queue.id, now, self.most - good.len(), good.len())?;
            let found = rows.len();
            let before = good.len();
            for row in rows {
                if row.sent_ms <= expired {
                    tx.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([row.id])?;
                } else if let Some(dead) = dead.as_mut().filter(|dead| row.receives >= dead.most_receives) {
                    dead.take(tx, row.id, now)?;
                } else {
                    good.push(row);
                }
            }
            if good.len() - before == found || good.len() == self.most {
                break;
            }
        }
        if let Some(dead) = dead.filter(|dead| dead.moved > 0) {
            let waiting = waiting.clone();
            tx.after_commit(move || waiting.visible(&dead.queue.name, dead.moved));
        }
        Ok(good)
    }
}

/// Where messages go that were received too often.
struct DeadLetters {
    queue: Queue,
    most_receives: i64,
    moved: usize,
}

impl DeadLetters {
    /// `None` as well when the dead-letter queue was deleted: then messages stay where they are.
    fn find(tx: &Transaction<'_>, context: &Context, redrive: Option<&Redrive>) -> Result<Option<Self>, Error> {
        let Some(redrive) = redrive else { return Ok(None) };
        let Some(name) = context.queue_name_in_arn(&redrive.target) else { return Ok(None) };
        let queue = queue::find(tx, name)?;
        Ok(queue.map(|queue| Self { queue, most_receives: redrive.most_receives, moved: 0 }))
    }

    /// The message keeps its id, its time of sending and its count (SQS developer guide,
    /// "Using dead-letter queues").
    fn take(&mut self, tx: &Transaction<'_>, message: i64, now: i64) -> Result<(), Error> {
        tx.prepare_cached("UPDATE sqs_messages SET queue = ?2, visible_ms = ?3 WHERE id = ?1")?.execute([
            message,
            self.queue.id,
            now,
        ])?;
        self.moved += 1;
        Ok(())
    }
}

fn visible(tx: &Connection, queue: i64, now: i64, most: usize, skip: usize) -> Result<Vec<Stored>, Error> {
    let mut statement = tx.prepare_cached(
        "SELECT id, receives, first_received_ms, sent_ms, message_id, sender, trace, attributes, body
         FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3 OFFSET ?4",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Stored {
            id: row.get(0)?,
            receives: row.get(1)?,
            first_received_ms: row.get(2)?,
            sent_ms: row.get(3)?,
            message_id: row.get(4)?,
            sender: row.get(5)?,
            trace: row.get(6)?,
            attributes: row.get(7)?,
            body: row.get(8)?,
        })
    };
    // At most ten each.
    let rows = statement.query_map(params![queue, now, most as i64, skip as i64], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts the receive, in the rows as well.
fn hide(tx: &Connection, rows: &mut [Stored], now: i64, due_ms: i64) -> Result<(), Error> {
    let mut statement = tx.prepare_cached(
        "UPDATE sqs_messages SET visible_ms = ?2, receives = ?3, received_ms = ?4, first_received_ms = ?5 WHERE id = ?1",
    )?;
    for row in rows {
        row.receives += 1;
        if row.first_received_ms == 0 {
            row.first_received_ms = now;
        }
        statement.execute([row.id, due_ms, row.receives, now, row.first_received_ms])?;
    }
    Ok(())
}

fn next_due(tx: &Connection, queue: i64) -> Result<i64, Error> {
    let mut statement = tx.prepare_cached("SELECT min(visible_ms) FROM sqs_messages WHERE queue = ?1")?;
    let due: Option<i64> = statement.query_row([queue], |row| row.get(0))?;
    Ok(due.unwrap_or(i64::MAX))
}

/// The answer for one message, made outside of the store.
fn message(queue: i64, row: Stored, request: &ReceiveMessage) -> Result<Message, Error> {
    let handle = Handle { queue, message: row.id, receives: row.receives };
    let attributes: Attributes = match &row.attributes {
        Some(text) => serde_json::from_str(text).map_err(|error| Error::Internal(error.to_string()))?,
        None => Attributes::new(),
    };
    let is_asked = |name: &String| request.message_attribute_names.iter().any(|asked| matches(asked, name));
    let message_attributes: Attributes = attributes.into_iter().filter(|(name, _)| is_asked(name)).collect();
    Ok(Message {
        receipt_handle: handle.encode(),
        body_md5: message::body_md5(&row.body),
        attributes: system_attributes(&row, request),
        message_id: row.message_id,
        body: row.body,
        attributes_md5: message::attributes_md5(&message_attributes),
        message_attributes,
    })
}

fn system_attributes(row: &Stored, request: &ReceiveMessage) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::from([
        ("ApproximateFirstReceiveTimestamp", row.first_received_ms.to_string()),
        ("ApproximateReceiveCount", row.receives.to_string()),
        ("SenderId", row.sender.clone()),
        ("SentTimestamp", row.sent_ms.to_string()),
    ]);
    if let Some(trace) = &row.trace {
        all.insert("AWSTraceHeader", trace.clone());
    }
    let asked = request.message_system_attribute_names.iter().chain(&request.attribute_names);
    let asked: Vec<&str> = asked.map(String::as_str).collect();
    all.retain(|name, _| asked.contains(&"All") || asked.contains(name));
    all
}

/// `All`, `.*`, a name, or `prefix.*` (SQS API, ReceiveMessage, `MessageAttributeNames`).
fn matches(asked: &str, name: &str) -> bool {
    match asked.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => asked == "All" || asked == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_names_match_as_documented() {
        for (asked, name) in [("All", "a"), (".*", "a"), ("a", "a"), ("a.*", "a.b"), ("a.*", "ab")] {
            assert!(matches(asked, name), "{asked} {name}");
        }
        for (asked, name) in [("a", "b"), ("a.*", "ba"), ("all", "a"), ("", "a")] {
            assert!(!matches(asked, name), "{asked} {name}");
        }
    }
}
