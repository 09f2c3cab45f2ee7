//! Receiving, with long polls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::{
    Sqs,
    error::{Error, kind},
    fifo,
    handle::Handle,
    message::{self, Attributes},
    now_ms,
    queue::Queue,
    take::{Attempt, Found, Stored, Surroundings},
    waiting::{Bell, PassOn},
};

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
    receive_request_attempt_id: Option<String>,
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

impl Sqs {
    pub(super) async fn receive_message(&self, request: ReceiveMessage) -> Result<Received, Error> {
        let queue = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        check(&request)?;
        let most = request.max_number_of_messages.and_then(|most| usize::try_from(most).ok()).unwrap_or(1);
        let repeat = request.receive_request_attempt_id.clone();
        let attempt = Arc::new(Attempt { queue, most, timeout: request.visibility_timeout, repeat });
        let found = self.poll(&attempt, request.wait_time_seconds).await?;
        let message = |row| self.message(&found.queue, row, &request);
        let messages = found.rows.into_iter().map(message).collect::<Result<_, _>>()?;
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
            if found.is_full && wait == 0 && !found.queue.is_fifo() {
                // A long poll, and any of a FIFO queue, gets nothing instead (SQS API, ReceiveMessage).
                return Err(Error::client(kind::OVER_LIMIT, "Too many messages in flight."));
            }
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
        let surroundings = Surroundings {
            context: self.context.clone(),
            waiting: self.waiting.clone(),
            in_flight: self.in_flight.clone(),
        };
        self.context.store.write(move |tx| attempt.run(tx, &surroundings, bell)).await
    }

    /// The answer for one message, made outside of the store.
    fn message(&self, queue: &Queue, row: Stored, request: &ReceiveMessage) -> Result<Message, Error> {
        let handle = Handle { queue: queue.id, message: row.id, receives: row.receives };
        let attributes: Attributes = match &row.attributes {
            Some(text) => serde_json::from_str(text).map_err(|error| Error::Internal(error.to_string()))?,
            None => Attributes::new(),
        };
        let is_asked = |name: &String| request.message_attribute_names.iter().any(|asked| matches(asked, name));
        let message_attributes: Attributes = attributes.into_iter().filter(|(name, _)| is_asked(name)).collect();
        Ok(Message {
            receipt_handle: handle.encode(),
            body_md5: message::body_md5(&row.body),
            attributes: self.system_attributes(queue, &row, request),
            message_id: row.message_id,
            body: row.body,
            attributes_md5: message::attributes_md5(&message_attributes),
            message_attributes,
        })
    }

    /// Those that were asked for.
    fn system_attributes(
        &self,
        queue: &Queue,
        row: &Stored,
        request: &ReceiveMessage,
    ) -> BTreeMap<&'static str, String> {
        let mut all = BTreeMap::from([
            ("ApproximateFirstReceiveTimestamp", row.first_received_ms.to_string()),
            ("ApproximateReceiveCount", row.receives.to_string()),
            ("SenderId", row.sender.clone()),
            ("SentTimestamp", row.sent_ms.to_string()),
        ]);
        let origin = row.origin.as_ref().map(|name| self.context.queue_arn(name));
        let sequence = queue.is_fifo().then(|| fifo::sequence(row.id));
        for (name, value) in [
            ("AWSTraceHeader", row.trace.clone()),
            ("DeadLetterQueueSourceArn", origin),
            ("MessageDeduplicationId", row.deduplication.clone()),
            ("MessageGroupId", row.group.clone()),
            ("SequenceNumber", sequence),
        ] {
            all.extend(value.map(|value| (name, value)));
        }
        let asked = request.message_system_attribute_names.iter().chain(&request.attribute_names);
        let asked: Vec<&str> = asked.map(String::as_str).collect();
        all.retain(|name, _| asked.contains(&"All") || asked.contains(name));
        all
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
    within("WaitTimeSeconds", request.wait_time_seconds, 0, 20)?;
    let attempt = request.receive_request_attempt_id.as_ref();
    attempt.map_or(Ok(()), |id| fifo::check_token("ReceiveRequestAttemptId", id))
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
