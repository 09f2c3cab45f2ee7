//! Publishing: a message is in all queues of its topic before it is answered.

use std::{collections::HashSet, sync::Arc};

use rusqlite::Connection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Sns, Warned,
    envelope::{self, Notification, Signed},
    error::{Error, kind},
    form::Form,
    signer::Version,
    subscriptions::{self, Subscription},
    topics,
    xml::{self, Answer},
};
use crate::{
    Context,
    sqs::{self, Attributes, Outgoing, Sqs},
    store::Transaction,
};

/// The largest message, attributes included, and the largest batch (SNS API, Publish).
const LARGEST: usize = 262_144;
/// The most entries of a batch (SNS API, PublishBatch).
const MOST_ENTRIES: usize = 10;

/// A message and what the envelopes need; unsigned when no subscription wants one.
struct Publication {
    notification: Notification,
    signed: Option<Signed>,
}

/// How a topic's messages go out.
struct Delivery {
    version: Version,
    has_envelopes: bool,
}

impl Sns {
    pub(super) async fn publish(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.get("TopicArn").or_else(|| form.get("TargetArn"));
        let arn = arn.ok_or_else(|| Error::invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
        let topic = self.context.topic_name(arn)?;
        let notification = notification(form, "", &self.context.topic_arn(&topic))?;
        let id = notification.message_id.clone();
        self.deliver(topic, vec![notification]).await?;
        Ok(Answer::with("Publish", xml::text("MessageId", &id)))
    }

    pub(super) async fn publish_batch(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context.topic_name(form.require("TopicArn")?)?;
        let entries = entries(form)?;
        let arn = self.context.topic_arn(&topic);
        let (mut good, mut successful, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for (id, prefix) in entries {
            match notification(form, &prefix, &arn) {
                Ok(notification) => {
                    let fields = [xml::text("Id", &id), xml::text("MessageId", &notification.message_id)];
                    successful.push(xml::around("member", fields));
                    good.push(notification);
                }
                Err(Error::Client { kind, message }) => {
                    let fields =
                        [("Id", id.as_str()), ("Code", kind.code), ("Message", &message), ("SenderFault", "true")];
                    failed.push(xml::around("member", fields.map(|(name, value)| xml::text(name, value))));
                }
                Err(other) => return Err(other),
            }
        }
        if good.iter().map(size).sum::<usize>() > LARGEST {
            return Err(Error::client(
                kind::BATCH_TOO_LONG,
                "The length of all the messages put together is more than the limit.",
            ));
        }
        self.deliver(topic, good).await?;
        Ok(Answer::with("PublishBatch", xml::around("Successful", successful) + &xml::around("Failed", failed)))
    }

    /// Signs outside of the store, whose one writing thread all others need.
    async fn deliver(&self, topic: String, notifications: Vec<Notification>) -> Result<(), Error> {
        let name = topic.clone();
        let delivery = self.context.store.read(move |connection| delivery(connection, &name)).await?;
        let publications = self.sign(notifications, &delivery).await?;
        let (context, sqs, warned) = (self.context.clone(), self.sqs.clone(), self.warned.clone());
        let write = move |tx: &mut Transaction<'_>| {
            topics::get(tx, &topic)?;
            let subscriptions = subscriptions::all_of_topic(tx, &topic)?;
            for publication in &publications {
                for subscription in &subscriptions {
                    hand_over(tx, &context, &sqs, &warned, publication, subscription)?;
                }
            }
            Ok::<_, Error>(())
        };
        self.context.store.write(write).await
    }

    async fn sign(&self, notifications: Vec<Notification>, delivery: &Delivery) -> Result<Vec<Publication>, Error> {
        if !delivery.has_envelopes {
            let unsigned = |notification| Publication { notification, signed: None };
            return Ok(notifications.into_iter().map(unsigned).collect());
        }
        let signer = self.signer().await?.clone();
        let version = delivery.version;
        let certificate_url = format!("{}{}", self.context.public_endpoint, signer.certificate_path());
        let sign = move |notification: Notification| {
            let signature = signer.sign(version, &notification.string_to_sign()).map_err(Error::Signer)?;
            let signed = Signed { version: version.text(), signature, certificate_url: certificate_url.clone() };
            Ok(Publication { notification, signed: Some(signed) })
        };
        // About a millisecond each.
        let signing = tokio::task::spawn_blocking(move || notifications.into_iter().map(sign).collect());
        signing.await.map_err(|error| Error::Internal(error.to_string()))?
    }
}

fn delivery(connection: &Connection, topic: &str) -> Result<Delivery, Error> {
    let attributes = topics::get(connection, topic)?;
    let version = match attributes.get("SignatureVersion").map(String::as_str) {
        Some("2") => Version::Two,
        _ => Version::One,
    };
    let mut statement =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM sns_subscriptions WHERE topic = ?1 AND raw = 0)")?;
    Ok(Delivery { version, has_envelopes: statement.query_row([topic], |row| row.get(0))? })
}

/// Writes one message for one subscription. A queue that refuses does not stop the others.
fn hand_over(
    tx: &mut Transaction<'_>,
    context: &Context,
    sqs: &Sqs,
    warned: &Arc<Warned>,
    publication: &Publication,
    subscription: &Subscription,
) -> Result<(), Error> {
    let Publication { notification, signed } = publication;
    let none = Attributes::new();
    let (body, attributes) = match signed {
        _ if subscription.raw => (notification.message.clone(), &notification.attributes),
        Some(signed) => {
            let endpoint = &context.public_endpoint;
            let unsubscribe = format!("{endpoint}/?Action=Unsubscribe&SubscriptionArn={}", subscription.arn);
            (notification.envelope(signed, &unsubscribe)?, &none)
        }
        // Subscribed, or turned from raw to enveloped, after this message was accepted.
        None => return Ok(()),
    };
    let outgoing =
        Outgoing { service: "sns.amazonaws.com", source_arn: &notification.topic_arn, body: &body, attributes };
    let result = sqs.deliver(tx, &subscription.endpoint, &outgoing)?;
    let (warned, arn) = (warned.clone(), subscription.arn.clone());
    let endpoint = subscription.endpoint.clone();
    tx.after_commit(move || match result {
        Ok(()) => warned.clear(&arn),
        Err(reason) if warned.is_new(&arn) => {
            tracing::warn!(subscription = arn, queue = endpoint, %reason, "a topic's message was not delivered");
        }
        Err(_) => {}
    });
    Ok(())
}

/// Reads and checks one message; `prefix` is empty or that of a batch entry.
fn notification(form: &Form, prefix: &str, topic_arn: &str) -> Result<Notification, Error> {
    let field = |name: &str| form.get(&format!("{prefix}{name}"));
    let message =
        field("Message").filter(|message| !message.is_empty()).ok_or_else(|| Error::invalid("Empty message"))?;
    let message = match field("MessageStructure") {
        None => message.to_owned(),
        Some("json") => for_queues(message)?,
        Some(_) => return Err(Error::invalid("MessageStructure")),
    };
    let subject = field("Subject").map(str::to_owned);
    subject.as_deref().map_or(Ok(()), check_subject)?;
    let attributes = form.message_attributes(prefix);
    sqs::check_each_attribute(&attributes)
        .map_err(|error| Error::client(kind::INVALID_PARAMETER_VALUE, error.to_string()))?;
    let notification = Notification {
        message_id: Uuid::new_v4().to_string(),
        topic_arn: topic_arn.to_owned(),
        subject,
        message,
        timestamp: envelope::timestamp(OffsetDateTime::now_utc()),
        attributes,
    };
    if size(&notification) > LARGEST {
        return Err(Error::invalid("Message too long"));
    }
    Ok(notification)
}

fn size(notification: &Notification) -> usize {
    sqs::message_size(&notification.message, &notification.attributes)
}

/// With `MessageStructure=json`, the message is an object with a text per protocol and a default.
fn for_queues(message: &str) -> Result<String, Error> {
    let texts: serde_json::Value = serde_json::from_str(message)
        .map_err(|_| Error::invalid("Message Structure - JSON message body failed to parse"))?;
    let default = texts["default"].as_str();
    let default = default.ok_or_else(|| Error::invalid("Message Structure - No default entry in JSON message body"))?;
    Ok(texts["sqs"].as_str().unwrap_or(default).to_owned())
}

/// ASCII without line breaks and control characters, at most 100, not beginning with a space (SNS
/// API, Publish).
fn check_subject(subject: &str) -> Result<(), Error> {
    let is_good = (1..=100).contains(&subject.len())
        && subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !subject.starts_with(' ');
    if is_good { Ok(()) } else { Err(Error::invalid("Subject")) }
}

/// Id and prefix of each entry, after what fails the batch as a whole.
fn entries(form: &Form) -> Result<Vec<(String, String)>, Error> {
    let prefixes: Vec<String> = form.members("PublishBatchRequestEntries.member", "Id").collect();
    if prefixes.is_empty() {
        return Err(Error::client(kind::EMPTY_BATCH, "The batch request doesn't contain any entries."));
    }
    if prefixes.len() > MOST_ENTRIES {
        return Err(Error::client(
            kind::TOO_MANY_ENTRIES,
            "The batch request contains more entries than permissible (10).",
        ));
    }
    let mut seen = HashSet::new();
    let mut entries = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        let id = form.get(&format!("{prefix}.Id")).unwrap_or_default();
        let is_good = (1..=80).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_good {
            return Err(Error::client(
                kind::INVALID_BATCH_ID,
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            ));
        }
        if !seen.insert(id) {
            return Err(Error::client(
                kind::BATCH_IDS_NOT_DISTINCT,
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        entries.push((id.to_owned(), format!("{prefix}.")));
    }
    Ok(entries)
}
