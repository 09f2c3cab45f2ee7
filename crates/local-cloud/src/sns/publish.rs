//! Publishing: before it is answered, a message is in all queues of its topic, and what goes over HTTP is
//! written down.

use std::collections::{BTreeMap, HashSet};

use rusqlite::Connection;
use serde_json::Value;

use super::{
    Sns,
    envelope::{Kind, Message},
    error::{Error, kind},
    fan_out::fan_out,
    form::Form,
    protocol::{PerProtocol, Protocol},
    publication::Publication,
    topics,
    xml::{self, Answer},
};
use crate::{sqs, store::Transaction};

/// The largest message, attributes included, and the largest batch (SNS API, Publish).
pub(super) const LARGEST: usize = 262_144;
/// The most entries of a batch (SNS API, PublishBatch).
const MOST_ENTRIES: usize = 10;

/// A message that was checked.
struct Draft {
    id: String,
    size: usize,
    messages: PerProtocol<Message>,
}

impl Sns {
    pub(super) async fn publish(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.get("TopicArn").or_else(|| form.get("TargetArn"));
        let arn = arn.ok_or_else(|| Error::invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
        let topic = self.context().topic_name(arn)?;
        let draft = draft(form, "", &self.context().topic_arn(&topic))?;
        self.deliver(topic, vec![draft.messages]).await?;
        Ok(Answer::with("Publish", xml::text("MessageId", &draft.id)))
    }

    pub(super) async fn publish_batch(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context().topic_name(form.require("TopicArn")?)?;
        let entries = entries(form)?;
        let arn = self.context().topic_arn(&topic);
        let (mut good, mut successful, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut total = 0;
        for (id, prefix) in entries {
            match draft(form, &prefix, &arn) {
                Ok(draft) => {
                    let fields = [xml::text("Id", &id), xml::text("MessageId", &draft.id)];
                    successful.push(xml::around("member", fields));
                    total += draft.size;
                    good.push(draft.messages);
                }
                Err(Error::Client { kind, message }) => {
                    let fields =
                        [("Id", id.as_str()), ("Code", kind.code), ("Message", &message), ("SenderFault", "true")];
                    failed.push(xml::around("member", fields.map(|(name, value)| xml::text(name, value))));
                }
                Err(other) => return Err(other),
            }
        }
        if total > LARGEST {
            return Err(Error::client(
                kind::BATCH_TOO_LONG,
                "The length of all the messages put together is more than the limit.",
            ));
        }
        self.deliver(topic, good).await?;
        Ok(Answer::with("PublishBatch", xml::around("Successful", successful) + &xml::around("Failed", failed)))
    }

    /// Signs only when somebody wants an envelope, which is known for sure only in the transaction.
    async fn deliver(&self, topic: String, messages: Vec<PerProtocol<Message>>) -> Result<(), Error> {
        let name = topic.clone();
        let read = move |connection: &Connection| {
            Ok::<_, Error>((topics::signature_version(connection, &name)?, wants_envelopes(connection, &name)?))
        };
        let (version, wants_envelopes) = self.context().store.read(read).await?;
        if !wants_envelopes {
            let unsigned = |message: &Message| Publication::unsigned(message.clone());
            let publications = messages.iter().map(|message| message.map(unsigned)).collect();
            match self.hand_out(topic.clone(), publications).await {
                // Somebody subscribed, or turned from raw to enveloped, a moment ago.
                Err(Error::Unsigned) => {}
                result => return result,
            }
        }
        let publications = self.sign(version, messages).await?;
        self.hand_out(topic, publications).await
    }

    async fn hand_out(&self, topic: String, publications: Vec<PerProtocol<Publication>>) -> Result<(), Error> {
        let shared = self.shared.clone();
        let write = move |tx: &mut Transaction<'_>| {
            topics::get(tx, &topic)?;
            fan_out(tx, &shared, &topic, &publications)
        };
        self.context().store.write(write).await
    }
}

fn wants_envelopes(connection: &Connection, topic: &str) -> Result<bool, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sns_subscriptions WHERE topic = ?1 AND raw = 0 AND pending = 0)",
    )?;
    Ok(statement.query_row([topic], |row| row.get(0))?)
}

/// Reads and checks one message; `prefix` is empty or that of a batch entry.
fn draft(form: &Form, prefix: &str, topic_arn: &str) -> Result<Draft, Error> {
    let field = |name: &str| form.get(&format!("{prefix}{name}"));
    let text = field("Message").filter(|message| !message.is_empty()).ok_or_else(|| Error::invalid("Empty message"))?;
    let texts = match field("MessageStructure") {
        None => PerProtocol::new(text.to_owned(), BTreeMap::new()),
        Some("json") => for_each_protocol(text)?,
        Some(_) => return Err(Error::invalid("MessageStructure")),
    };
    let subject = field("Subject").map(str::to_owned);
    subject.as_deref().map_or(Ok(()), check_subject)?;
    let attributes = form.message_attributes(prefix);
    sqs::check_each_attribute(&attributes)
        .map_err(|error| Error::client(kind::INVALID_PARAMETER_VALUE, error.to_string()))?;
    let size = sqs::message_size(text, &attributes);
    if size > LARGEST {
        return Err(Error::invalid("Message too long"));
    }
    let first = Message::new(Kind::Notification, topic_arn.to_owned(), String::new());
    let first = Message { subject, attributes, ..first };
    let messages = texts.map(|text| Message { text: text.clone(), ..first.clone() });
    Ok(Draft { id: first.id, size, messages })
}

/// With `MessageStructure=json`, the message is an object with a text per protocol and a default.
fn for_each_protocol(message: &str) -> Result<PerProtocol<String>, Error> {
    let texts: Value = serde_json::from_str(message)
        .map_err(|_| Error::invalid("Message Structure - JSON message body failed to parse"))?;
    let default = texts["default"].as_str();
    let default = default.ok_or_else(|| Error::invalid("Message Structure - No default entry in JSON message body"))?;
    let own = |protocol: Protocol| Some((protocol, texts[protocol.text()].as_str()?.to_owned()));
    Ok(PerProtocol::new(default.to_owned(), Protocol::ALL.into_iter().filter_map(own).collect()))
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
