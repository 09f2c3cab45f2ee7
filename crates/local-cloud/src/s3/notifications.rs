//! Telling queues and topics what became of objects, in the same transaction as the change.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

use super::{fault::Fault, settings, settings::Setting};
use crate::{
    Context,
    sns::{self, ServiceMessage, Sns},
    sqs::{self, Attributes, Outgoing, Sqs},
    store::Transaction,
};

/// The principal that queue and topic policies must let in (S3 User Guide, "Granting permissions to
/// publish event notification messages to a destination").
const SERVICE: &str = "s3.amazonaws.com";
/// What S3 writes above its messages to topics.
const SUBJECT: &str = "Amazon S3 Notification";
/// What stays as it is in the key of an event, beside the space, which becomes `+` (S3 User Guide, "Event
/// message structure": the key is URL-encoded).
const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/').remove(b' ');

/// Why a destination does not take an event, in words.
type Refused = String;

/// All rules of a bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rules(pub(super) Vec<Rule>);

impl Setting for Rules {
    const KIND: &'static str = "notifications";
}

/// Which changes are told to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) destination: Destination,
    /// As they were given: `s3:ObjectCreated:*`.
    pub(super) events: Vec<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
}

/// Who is told, by ARN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Destination {
    Queue(String),
    Topic(String),
}

/// What became of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The name without `s3:`, for instance `ObjectCreated:Put`.
    pub(super) event: &'static str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// Size and tag of an object that was made.
    pub(super) made: Option<(u64, &'a str)>,
    /// The request that did it.
    pub(super) request_id: &'a str,
}

/// The names of the events that are told.
pub(super) mod event {
    pub(in crate::s3) const PUT: &str = "ObjectCreated:Put";
    pub(in crate::s3) const COPY: &str = "ObjectCreated:Copy";
    pub(in crate::s3) const COMPLETE: &str = "ObjectCreated:CompleteMultipartUpload";
    pub(in crate::s3) const DELETE: &str = "ObjectRemoved:Delete";
}

/// Writes events for those who want them.
pub(super) struct Notifier {
    context: Arc<Context>,
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
    last_sequence: AtomicU64,
    /// Destinations that last refused, so that each is warned about once and not per object.
    refusing: Mutex<HashSet<String>>,
}

impl Rule {
    fn wants(&self, change: &Change<'_>) -> bool {
        self.events.iter().any(|pattern| covers(pattern, change.event))
            && change.key.starts_with(&self.prefix)
            && change.key.ends_with(&self.suffix)
    }
}

/// Whether `s3:ObjectCreated:*` or the like stands for an event.
pub(super) fn covers(pattern: &str, event: &str) -> bool {
    let pattern = pattern.strip_prefix("s3:").unwrap_or(pattern);
    match pattern.strip_suffix('*') {
        Some(family) => event.starts_with(family),
        None => pattern == event,
    }
}

impl Destination {
    pub(super) fn arn(&self) -> &str {
        match self {
            Self::Queue(arn) | Self::Topic(arn) => arn,
        }
    }
}

impl Notifier {
    pub(super) fn new(context: Arc<Context>, sqs: Arc<Sqs>, sns: Arc<Sns>) -> Arc<Self> {
        Arc::new(Self { context, sqs, sns, last_sequence: AtomicU64::new(0), refusing: Mutex::default() })
    }

    /// Tells a change to each destination whose rule wants it. One that refuses does not undo the change.
    pub(super) fn tell(self: &Arc<Self>, tx: &mut Transaction<'_>, change: &Change<'_>) -> Result<(), Fault> {
        let Some(Rules(rules)) = settings::find(tx, change.bucket)? else { return Ok(()) };
        let sequence = self.next_sequence();
        for rule in rules.iter().filter(|rule| rule.wants(change)) {
            let body = self.event(rule, change, sequence).to_string();
            let result = self.deliver(tx, change.bucket, &rule.destination, &body)?;
            let (this, arn) = (self.clone(), rule.destination.arn().to_owned());
            tx.after_commit(move || this.log(&arn, result));
        }
        Ok(())
    }

    /// Sends the event that shows a new destination that it is one (S3 User Guide, "Event message
    /// structure").
    pub(super) fn test(
        &self,
        tx: &mut Transaction<'_>,
        bucket: &str,
        destination: &Destination,
        request_id: &str,
    ) -> Result<Result<(), Refused>, Fault> {
        let body = json!({
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": timestamp(),
            "Bucket": bucket,
            "RequestId": request_id,
            "HostId": request_id,
        });
        self.deliver(tx, bucket, destination, &body.to_string())
    }

    fn deliver(
        &self,
        tx: &mut Transaction<'_>,
        bucket: &str,
        destination: &Destination,
        body: &str,
    ) -> Result<Result<(), Refused>, Fault> {
        let source_arn = bucket_arn(bucket);
        match destination {
            Destination::Queue(arn) => {
                let none = Attributes::new();
                let outgoing = Outgoing { service: SERVICE, source_arn: &source_arn, body, attributes: &none };
                Ok(self.sqs.deliver(tx, arn, &outgoing).map_err(of_queue)?.map_err(|refusal| refusal.to_string()))
            }
            Destination::Topic(topic_arn) => {
                let subject = Some(SUBJECT);
                let message = ServiceMessage { service: SERVICE, source_arn: &source_arn, topic_arn, subject, body };
                Ok(self
                    .sns
                    .publish_from_service(tx, &message)
                    .map_err(of_topic)?
                    .map_err(|refusal| refusal.to_string()))
            }
        }
    }

    /// The record of S3 User Guide, "Event message structure".
    fn event(&self, rule: &Rule, change: &Change<'_>, sequence: u64) -> Value {
        let account = &self.context.account;
        let mut object = json!({
            "key": utf8_percent_encode(change.key, UNRESERVED).to_string().replace(' ', "+"),
            "sequencer": format!("{sequence:016X}"),
        });
        if let Some((size, etag)) = change.made {
            object["size"] = json!(size);
            object["eTag"] = json!(etag);
        }
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": self.context.region,
            "eventTime": timestamp(),
            "eventName": change.event,
            "userIdentity": { "principalId": account },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": change.request_id, "x-amz-id-2": change.request_id },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": rule.id,
                "bucket": {
                    "name": change.bucket,
                    "ownerIdentity": { "principalId": account },
                    "arn": bucket_arn(change.bucket),
                },
                "object": object,
            },
        }] })
    }

    /// Of two changes of one key the later one has the greater number, across restarts as well. Writes
    /// come here one after the other.
    fn next_sequence(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let next = clock.max(self.last_sequence.load(Ordering::Relaxed) + 1);
        self.last_sequence.store(next, Ordering::Relaxed);
        next
    }

    fn log(&self, arn: &str, result: Result<(), Refused>) {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => {
                refusing.remove(arn);
            }
            Err(reason) if refusing.insert(arn.to_owned()) => {
                tracing::warn!(destination = arn, %reason, "a bucket's event was not delivered");
            }
            Err(_) => {}
        }
    }
}

pub(super) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn of_queue(error: sqs::Error) -> Fault {
    match error {
        sqs::Error::Store(error) => Fault::Store(error),
        other => Fault::Io(std::io::Error::other(other)),
    }
}

fn of_topic(error: sns::Error) -> Fault {
    match error {
        sns::Error::Store(error) => Fault::Store(error),
        other => Fault::Io(std::io::Error::other(other)),
    }
}

fn timestamp() -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::now_utc().format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_its_family() {
        assert!(covers("s3:ObjectCreated:*", event::PUT) && covers("s3:ObjectCreated:Copy", event::COPY));
        assert!(!covers("s3:ObjectCreated:*", event::DELETE) && !covers("s3:ObjectCreated:Put", event::COMPLETE));
    }

    #[test]
    fn a_rule_looks_at_both_ends_of_the_key() {
        let rule = Rule {
            id: "a".to_owned(),
            destination: Destination::Queue(String::new()),
            events: vec!["s3:ObjectCreated:*".to_owned()],
            prefix: "media/".to_owned(),
            suffix: ".mp3".to_owned(),
        };
        let wants = |key| rule.wants(&Change { event: event::PUT, bucket: "b", key, made: None, request_id: "" });
        assert!(wants("media/a.mp3"));
        assert!(!wants("media/a.wav") && !wants("other/a.mp3"));
    }
}
