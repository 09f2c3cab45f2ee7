//! The JSON in which a queue gets a message (SNS developer guide, "HTTP/HTTPS notification JSON format").

use std::collections::BTreeMap;

use serde::Serialize;
use time::{OffsetDateTime, macros::format_description};

use crate::sqs::Attributes;

/// One published message, before it is signed.
pub(super) struct Notification {
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) subject: Option<String>,
    pub(super) message: String,
    pub(super) timestamp: String,
    pub(super) attributes: Attributes,
}

/// A signature over a notification, with what a receiver needs to check it.
pub(super) struct Signed {
    pub(super) version: &'static str,
    /// Base64.
    pub(super) signature: String,
    pub(super) certificate_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'static str,
    message_id: &'a str,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: &'a str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'a str,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, EnvelopeAttribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvelopeAttribute<'a> {
    r#type: &'a str,
    value: &'a str,
}

impl Notification {
    /// The text that is signed: name and value of each field, in the order of the names (SNS
    /// developer guide, "Verifying the signatures of Amazon SNS messages").
    pub(super) fn string_to_sign(&self) -> String {
        let fields = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_deref()),
            ("Timestamp", Some(&self.timestamp)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some("Notification")),
        ];
        fields.iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", (*value)?))).collect()
    }

    /// The whole envelope for one subscription.
    pub(super) fn envelope(&self, signed: &Signed, unsubscribe_url: &str) -> serde_json::Result<String> {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            let value = attribute.string_value.as_deref().or(attribute.binary_value.as_deref()).unwrap_or_default();
            (name.as_str(), EnvelopeAttribute { r#type: &attribute.data_type, value })
        });
        serde_json::to_string(&Envelope {
            r#type: "Notification",
            message_id: &self.message_id,
            topic_arn: &self.topic_arn,
            subject: self.subject.as_deref(),
            message: &self.message,
            timestamp: &self.timestamp,
            signature_version: signed.version,
            signature: &signed.signature,
            signing_cert_url: &signed.certificate_url,
            unsubscribe_url,
            message_attributes: attributes.collect(),
        })
    }
}

/// `2012-05-02T00:54:06.655Z`.
pub(super) fn timestamp(now: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Writing a full date to a string does not fail.
    now.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(subject: Option<&str>) -> Notification {
        Notification {
            message_id: "id".into(),
            topic_arn: "arn".into(),
            subject: subject.map(Into::into),
            message: "hello\nthere".into(),
            timestamp: timestamp(OffsetDateTime::UNIX_EPOCH),
            attributes: Attributes::new(),
        }
    }

    #[test]
    fn the_subject_is_signed_only_when_there_is_one() {
        let rest = "Timestamp\n1970-01-01T00:00:00.000Z\nTopicArn\narn\nType\nNotification\n";
        let without = format!("Message\nhello\nthere\nMessageId\nid\n{rest}");
        assert_eq!(notification(None).string_to_sign(), without);
        let with = format!("Message\nhello\nthere\nMessageId\nid\nSubject\nsub\n{rest}");
        assert_eq!(notification(Some("sub")).string_to_sign(), with);
    }
}
