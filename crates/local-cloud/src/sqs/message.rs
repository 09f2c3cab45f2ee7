//! What a message may hold, how large it is, and its digests.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::error::{Error, kind};

/// The most attributes on one message (SQS developer guide, "Message attributes").
const MOST_ATTRIBUTES: usize = 10;

/// Message attributes by name; the order is the one that the digest wants.
pub(crate) type Attributes = BTreeMap<String, Attribute>;

/// One message attribute as the API and the store write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    /// `String`, `Number` or `Binary`, with or without `.something`.
    pub(crate) data_type: String,
    /// For strings and numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    /// Base64 of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

impl Attribute {
    fn is_binary(&self) -> bool {
        self.data_type.split('.').next() == Some("Binary")
    }

    /// The bytes that count and are digested.
    fn value(&self) -> Cow<'_, [u8]> {
        if self.is_binary() {
            let text = self.binary_value.as_deref().unwrap_or_default();
            return Cow::Owned(STANDARD.decode(text).unwrap_or_default());
        }
        Cow::Borrowed(self.string_value.as_deref().unwrap_or_default().as_bytes())
    }

    fn size(&self, name: &str) -> usize {
        name.len() + self.data_type.len() + self.value().len()
    }
}

/// Body and attributes together: what the size limits are about.
pub(crate) fn size(body: &str, attributes: &Attributes) -> usize {
    body.len() + attributes.iter().map(|(name, attribute)| attribute.size(name)).sum::<usize>()
}

pub(crate) fn check_size(size: usize, largest: i64) -> Result<(), Error> {
    if i64::try_from(size).unwrap_or(i64::MAX) <= largest {
        return Ok(());
    }
    let message = format!("One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes.");
    Err(Error::client(kind::INVALID_PARAMETER, message))
}

/// Only what XML 1.0 can carry (SQS API, SendMessage).
pub(crate) fn check_body(body: &str) -> Result<(), Error> {
    if body.is_empty() {
        return Err(Error::missing("MessageBody"));
    }
    check_characters(body)
}

fn check_characters(text: &str) -> Result<(), Error> {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    match text.chars().find(|c| !is_allowed(*c)) {
        None => Ok(()),
        Some(c) => {
            let message = format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is \
                 #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
                u32::from(c)
            );
            Err(Error::client(kind::INVALID_CONTENTS, message))
        }
    }
}

/// The rules of the SQS developer guide, "Message attribute components".
pub(crate) fn check_attributes(attributes: &Attributes) -> Result<(), Error> {
    if attributes.len() > MOST_ATTRIBUTES {
        let message = format!("Number of message attributes [{}] exceeds the allowed maximum [10].", attributes.len());
        return Err(Error::client(kind::INVALID_PARAMETER, message));
    }
    check_each_attribute(attributes)
}

/// The same, however many there are.
pub(crate) fn check_each_attribute(attributes: &Attributes) -> Result<(), Error> {
    attributes.iter().try_for_each(|(name, attribute)| {
        let wrong =
            |why: &str| Err(Error::client(kind::INVALID_PARAMETER, format!("The message attribute '{name}' {why}")));
        if !is_name(name) {
            return wrong("has an invalid name.");
        }
        let text = attribute.string_value.as_deref().unwrap_or_default();
        match attribute.data_type.split('.').next().unwrap_or_default() {
            _ if attribute.data_type.len() > 256 => wrong("has a type that is too long."),
            "Binary" if STANDARD.decode(attribute.binary_value.as_deref().unwrap_or("!")).is_err() => {
                wrong("must contain a binary value in base64.")
            }
            "Binary" if attribute.value().is_empty() => wrong("must contain a non-empty message attribute value."),
            "Binary" => Ok(()),
            "String" | "Number" if text.is_empty() => wrong("must contain a non-empty message attribute value."),
            "Number" if !is_number(text) => wrong("must contain a number."),
            "String" | "Number" => check_characters(text),
            _ => wrong("has an invalid type, the set of supported type prefixes is Binary, Number, and String."),
        }
    })
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !(name.starts_with('.') || name.ends_with('.') || name.contains(".."))
        && !(lower.starts_with("aws.") || lower.starts_with("amazon."))
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// `MD5OfMessageBody`.
pub(crate) fn body_md5(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// `MD5OfMessageAttributes` (SQS developer guide, "Calculating the MD5 message digest for message
/// attributes"); none without attributes.
pub(crate) fn attributes_md5(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut hash = Md5::new();
    let mut part = |bytes: &[u8], kind: Option<u8>| {
        if let Some(kind) = kind {
            hash.update([kind]);
        }
        // A message is at most 1 MiB.
        hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(bytes);
    };
    for (name, attribute) in attributes {
        part(name.as_bytes(), None);
        part(attribute.data_type.as_bytes(), None);
        part(&attribute.value(), Some(if attribute.is_binary() { 2 } else { 1 }));
    }
    Some(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> Attribute {
        Attribute { data_type: data_type.into(), string_value: Some(value.into()), binary_value: None }
    }

    fn one(name: &str, attribute: Attribute) -> Attributes {
        Attributes::from([(name.to_owned(), attribute)])
    }

    #[test]
    fn attribute_rules_hold() {
        let good = [("a.b-c_D1", text("String", "x")), ("n", text("Number.int", "-1.5e3"))];
        for (name, attribute) in good {
            assert!(check_attributes(&one(name, attribute)).is_ok(), "{name}");
        }
        let binary = |value: Option<&str>| Attribute {
            data_type: "Binary".into(),
            string_value: None,
            binary_value: value.map(Into::into),
        };
        assert!(check_attributes(&one("b", binary(Some("AQID")))).is_ok());
        let bad = [
            ("", text("String", "x")),
            (".a", text("String", "x")),
            ("a..b", text("String", "x")),
            ("AWS.a", text("String", "x")),
            ("a b", text("String", "x")),
            ("a", text("Text", "x")),
            ("a", text("String", "")),
            ("a", text("String", "\u{1}")),
            ("a", text("Number", "one")),
            ("a", binary(None)),
            ("a", binary(Some("***"))),
            ("a", binary(Some(""))),
        ];
        for (name, attribute) in bad {
            assert!(check_attributes(&one(name, attribute.clone())).is_err(), "{name} {attribute:?}");
        }
    }

    #[test]
    fn only_characters_of_xml_are_allowed() {
        for good in ["a", "\t\r\n", "\u{D7FF}\u{E000}\u{FFFD}\u{10000}"] {
            assert!(check_body(good).is_ok(), "{good:?}");
        }
        for bad in ["", "\0", "a\u{8}", "\u{1b}[0m", "\u{FFFE}", "\u{FFFF}"] {
            assert!(check_body(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn size_counts_names_types_and_decoded_values() {
        let binary = Attribute { data_type: "Binary".into(), string_value: None, binary_value: Some("AQID".into()) };
        assert_eq!(size("body", &one("ab", binary)), 4 + 2 + 6 + 3);
    }
}
