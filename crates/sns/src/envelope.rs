//! What SNS sends: one JSON object, the same over HTTP and, unless delivery is raw, in a queue.

use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The longest envelope that is read. A message has up to 256 KiB (SNS API, Publish).
pub const MAX_ENVELOPE_BYTES: usize = 512 * 1024;

/// Every member but the message is one line of at most this many bytes: the longest, a URL with a token, has about 500.
const MAX_LINE: usize = 4096;

/// A message as SNS wraps it.
///
/// Every member but [`message`](Self::message) is a single line. That is more than tidiness: the text that is signed
/// puts members on lines of their own, and a member that could hold line breaks could pass for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    kind: Kind,
    message_id: String,
    topic_arn: String,
    message: String,
    /// As it was sent: the signature is over this spelling.
    timestamp: String,
    time: OffsetDateTime,
    pub(crate) signature: Option<Signature>,
}

/// Which of the three kinds of message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Somebody published to the topic.
    Notification {
        /// The subject, when the publisher gave one.
        subject: Option<String>,
    },
    /// SNS asks whether the endpoint wants the topic's messages.
    SubscriptionConfirmation(Confirmation),
    /// The endpoint was unsubscribed, and could take that back.
    UnsubscribeConfirmation(Confirmation),
}

/// What it takes to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// For the API's `ConfirmSubscription`.
    pub token: String,
    /// A link that does the same for a person. Software should not follow it.
    pub subscribe_url: String,
}

/// A signature that has not been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) version: String,
    pub(crate) value: String,
    pub(crate) cert_url: String,
}

/// Why bytes are no envelope.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MAX_ENVELOPE_BYTES`].
    #[error("more than {MAX_ENVELOPE_BYTES} bytes")]
    TooLong,
    /// Not JSON, or a member is missing, double or of the wrong type.
    #[error("not an SNS message: {0}")]
    Json(#[from] serde_json::Error),
    /// A member does not hold what it should.
    #[error("not an SNS message: {0} is missing or malformed")]
    Member(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    #[serde(rename = "Type")]
    kind: String,
    message_id: String,
    topic_arn: String,
    subject: Option<String>,
    message: String,
    timestamp: String,
    signature_version: Option<String>,
    signature: Option<String>,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

impl Envelope {
    /// Reads an envelope. Members that are not known are passed over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(DecodeError::TooLong);
        }
        let mut wire: Wire = serde_json::from_slice(bytes)?;
        let (kind, signature) = (wire.kind()?, wire.signature()?);
        let timestamp = line("Timestamp", wire.timestamp)?;
        let time = OffsetDateTime::parse(&timestamp, &Rfc3339).map_err(|_| DecodeError::Member("Timestamp"))?;
        Ok(Self {
            kind,
            message_id: filled("MessageId", wire.message_id)?,
            topic_arn: filled("TopicArn", wire.topic_arn)?,
            message: wire.message,
            timestamp,
            time,
            signature,
        })
    }

    /// Which kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The message's id; the same at each delivery.
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The topic that it was published to.
    #[must_use]
    pub fn topic_arn(&self) -> &str {
        &self.topic_arn
    }

    /// What was published.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// When it was published.
    #[must_use]
    pub const fn time(&self) -> OffsetDateTime {
        self.time
    }

    /// The text that is signed: name and value of certain members, each on its own line, in this order. A subject is
    /// in it only when there is one.
    #[must_use]
    pub fn string_to_sign(&self) -> String {
        let (kind, subject, confirmation) = match &self.kind {
            Kind::Notification { subject } => ("Notification", subject.as_deref(), None),
            Kind::SubscriptionConfirmation(confirmation) => ("SubscriptionConfirmation", None, Some(confirmation)),
            Kind::UnsubscribeConfirmation(confirmation) => ("UnsubscribeConfirmation", None, Some(confirmation)),
        };
        let members = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(self.message_id.as_str())),
            ("Subject", subject),
            ("SubscribeURL", confirmation.map(|it| it.subscribe_url.as_str())),
            ("Timestamp", Some(self.timestamp.as_str())),
            ("Token", confirmation.map(|it| it.token.as_str())),
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(kind)),
        ];
        let mut text = String::with_capacity(self.message.len() + 512);
        for (name, value) in members {
            let Some(value) = value else { continue };
            for part in [name, "\n", value, "\n"] {
                text.push_str(part);
            }
        }
        text
    }
}

impl Wire {
    fn kind(&mut self) -> Result<Kind, DecodeError> {
        match self.kind.as_str() {
            "Notification" => {
                let subject = self.subject.take().map(|subject| line("Subject", subject)).transpose()?;
                Ok(Kind::Notification { subject })
            }
            "SubscriptionConfirmation" => self.confirmation().map(Kind::SubscriptionConfirmation),
            "UnsubscribeConfirmation" => self.confirmation().map(Kind::UnsubscribeConfirmation),
            _ => Err(DecodeError::Member("Type")),
        }
    }

    fn confirmation(&mut self) -> Result<Confirmation, DecodeError> {
        let token = required("Token", self.token.take())?;
        Ok(Confirmation { token, subscribe_url: required("SubscribeURL", self.subscribe_url.take())? })
    }

    /// None of the three members, or all of them.
    fn signature(&mut self) -> Result<Option<Signature>, DecodeError> {
        match (self.signature_version.take(), self.signature.take(), self.signing_cert_url.take()) {
            (None, None, None) => Ok(None),
            (version, value, cert_url) => Ok(Some(Signature {
                version: required("SignatureVersion", version)?,
                value: required("Signature", value)?,
                cert_url: required("SigningCertURL", cert_url)?,
            })),
        }
    }
}

fn line(name: &'static str, value: String) -> Result<String, DecodeError> {
    let fits = value.len() <= MAX_LINE && !value.chars().any(char::is_control);
    if fits { Ok(value) } else { Err(DecodeError::Member(name)) }
}

fn filled(name: &'static str, value: String) -> Result<String, DecodeError> {
    if value.is_empty() { Err(DecodeError::Member(name)) } else { line(name, value) }
}

fn required(name: &'static str, value: Option<String>) -> Result<String, DecodeError> {
    filled(name, value.ok_or(DecodeError::Member(name))?)
}

#[cfg(test)]
mod tests;
