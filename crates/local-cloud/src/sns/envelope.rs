//! The JSON in which a subscriber gets a message (SNS developer guide, "Parsing message formats").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use crate::sqs::Attributes;

/// One message, before it is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) topic_arn: String,
    pub(super) subject: Option<String>,
    pub(super) text: String,
    pub(super) timestamp: String,
    pub(super) attributes: Attributes,
}

/// Which of the three kinds it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    Notification,
    SubscriptionConfirmation(Confirmation),
    UnsubscribeConfirmation(Confirmation),
}

/// What it takes to confirm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Confirmation {
    pub(super) token: String,
    pub(super) subscribe_url: String,
}

/// A signature over a message, with what a receiver needs to check it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Signed {
    pub(super) version: String,
    /// Base64.
    pub(super) signature: String,
    /// Below the endpoint, whose address may be another when the message goes out.
    pub(super) certificate_path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    #[serde(rename = "SubscribeURL", skip_serializing_if = "Option::is_none")]
    subscribe_url: Option<&'a str>,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: &'a str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "UnsubscribeURL", skip_serializing_if = "Option::is_none")]
    unsubscribe_url: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, EnvelopeAttribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvelopeAttribute<'a> {
    r#type: &'a str,
    value: &'a str,
}

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Notification => "Notification",
            Self::SubscriptionConfirmation(_) => "SubscriptionConfirmation",
            Self::UnsubscribeConfirmation(_) => "UnsubscribeConfirmation",
        }
    }

    fn confirmation(&self) -> Option<&Confirmation> {
        match self {
            Self::Notification => None,
            Self::SubscriptionConfirmation(confirmation) | Self::UnsubscribeConfirmation(confirmation) => {
                Some(confirmation)
            }
        }
    }
}

impl Message {
    /// A message with a new id, made now, without subject and attributes.
    pub(super) fn new(kind: Kind, topic_arn: String, text: String) -> Self {
        let (id, timestamp) = (Uuid::new_v4().to_string(), timestamp(OffsetDateTime::now_utc()));
        Self { kind, id, topic_arn, subject: None, text, timestamp, attributes: Attributes::new() }
    }

    /// The text that is signed: name and value of each field, in the order of the names (SNS
    /// developer guide, "Verifying the signatures of Amazon SNS messages").
    pub(super) fn string_to_sign(&self) -> String {
        let confirmation = self.kind.confirmation();
        let fields = [
            ("Message", Some(self.text.as_str())),
            ("MessageId", Some(&self.id)),
            ("Subject", self.subject.as_deref()),
            ("SubscribeURL", confirmation.map(|it| it.subscribe_url.as_str())),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", confirmation.map(|it| it.token.as_str())),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(self.kind.name())),
        ];
        fields.iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", (*value)?))).collect()
    }

    /// The whole envelope for one subscription. `endpoint` is where clients reach this process.
    pub(super) fn envelope(&self, signed: &Signed, endpoint: &str, subscription: &str) -> serde_json::Result<String> {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let value = attribute.string_value.as_deref().or(attribute.binary_value.as_deref()).unwrap_or_default();
            (name.as_str(), EnvelopeAttribute { r#type: &attribute.data_type, value })
        });
        let confirmation = self.kind.confirmation();
        let unsubscribe = || format!("{endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}");
        serde_json::to_string(&Envelope {
            r#type: self.kind.name(),
            message_id: &self.id,
            token: confirmation.map(|it| it.token.as_str()),
            topic_arn: &self.topic_arn,
            subject: self.subject.as_deref(),
            message: &self.text,
            subscribe_url: confirmation.map(|it| it.subscribe_url.as_str()),
            timestamp: &self.timestamp,
            signature_version: &signed.version,
            signature: &signed.signature,
            signing_cert_url: format!("{endpoint}{}", signed.certificate_path),
            unsubscribe_url: confirmation.is_none().then(unsubscribe),
            message_attributes: attributes.collect(),
        })
    }
}

/// `2012-05-02T00:54:06.655Z`.
fn timestamp(now: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Writing a full date to a string does not fail.
    now.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Kind, subject: Option<&str>) -> Message {
        Message {
            kind,
            id: "id".into(),
            topic_arn: "arn".into(),
            subject: subject.map(Into::into),
            text: "hello\nthere".into(),
            timestamp: timestamp(OffsetDateTime::UNIX_EPOCH),
            attributes: Attributes::new(),
        }
    }

    #[test]
    fn the_subject_is_signed_only_when_there_is_one() {
        let rest = "Timestamp\n1970-01-01T00:00:00.000Z\nTopicArn\narn\nType\nNotification\n";
        let without = format!("Message\nhello\nthere\nMessageId\nid\n{rest}");
        assert_eq!(message(Kind::Notification, None).string_to_sign(), without);
        let with = format!("Message\nhello\nthere\nMessageId\nid\nSubject\nsub\n{rest}");
        assert_eq!(message(Kind::Notification, Some("sub")).string_to_sign(), with);
    }

    #[test]
    fn the_token_and_the_link_of_a_confirmation_are_signed() {
        let confirmation = Confirmation { token: "t".into(), subscribe_url: "u".into() };
        let signed = message(Kind::SubscriptionConfirmation(confirmation), None).string_to_sign();
        let rest = "SubscribeURL\nu\nTimestamp\n1970-01-01T00:00:00.000Z\nToken\nt\nTopicArn\narn";
        assert_eq!(signed, format!("Message\nhello\nthere\nMessageId\nid\n{rest}\nType\nSubscriptionConfirmation\n"));
    }
}
