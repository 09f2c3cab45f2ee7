//! What only FIFO queues have: their attributes, and what they want of each message.

use serde::{Deserialize, Serialize};

use super::error::{Error, kind};

/// The suffix of their names (SQS API, CreateQueue).
pub(crate) const SUFFIX: &str = ".fifo";
/// Sequence numbers have 20 digits (SQS API, SendMessage); ids of messages are counted up from this.
const FIRST_SEQUENCE: u64 = 10_000_000_000_000_000_000;
/// The longest `MessageGroupId`, `MessageDeduplicationId` and `ReceiveRequestAttemptId`.
const LONGEST_TOKEN: usize = 128;

/// The settings of a FIFO queue beyond those of any queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    /// Whether the SHA-256 of a body stands in for a missing deduplication id.
    pub(crate) content_based: bool,
    pub(crate) scope: Scope,
    pub(crate) throughput: Throughput,
}

/// `DeduplicationScope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Scope {
    /// A deduplication id counts in the whole queue.
    #[default]
    Queue,
    /// A deduplication id counts in its message group.
    MessageGroup,
}

/// `FifoThroughputLimit`; nothing here is slower for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Throughput {
    /// For the whole queue.
    #[default]
    PerQueue,
    /// For each message group.
    PerMessageGroupId,
}

/// Changes to them, checked one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FifoChanges {
    /// `FifoQueue`, which can be given but never changed.
    pub(crate) declared: Option<bool>,
    content_based: Option<bool>,
    scope: Option<Scope>,
    throughput: Option<Throughput>,
}

impl FifoChanges {
    /// Reads one attribute; `None` when it is not one of these.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Option<Result<(), Error>> {
        let done = match name {
            "FifoQueue" => set(&mut self.declared, parse(value)),
            "ContentBasedDeduplication" => set(&mut self.content_based, parse(value)),
            "DeduplicationScope" => set(&mut self.scope, parse(value)),
            "FifoThroughputLimit" => set(&mut self.throughput, parse(value)),
            _ => return None,
        };
        Some(done.ok_or_else(|| {
            Error::client(kind::INVALID_ATTRIBUTE_VALUE, format!("Invalid value for the parameter {name}."))
        }))
    }

    /// A standard queue knows none of these attributes, not even as `false`.
    pub(crate) fn check_standard(&self) -> Result<(), Error> {
        let name = match self {
            Self { declared: Some(_), .. } => "FifoQueue",
            Self { content_based: Some(_), .. } => "ContentBasedDeduplication",
            Self { scope: Some(_), .. } => "DeduplicationScope",
            Self { throughput: Some(_), .. } => "FifoThroughputLimit",
            Self { .. } => return Ok(()),
        };
        Err(Error::client(kind::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {name}.")))
    }
}

impl Fifo {
    /// The settings after the changes, if they go together.
    pub(crate) fn with(self, changes: &FifoChanges) -> Result<Self, Error> {
        if changes.declared == Some(false) {
            let message = "Invalid value for the parameter FifoQueue. The kind of a queue cannot be changed.";
            return Err(Error::client(kind::INVALID_ATTRIBUTE_VALUE, message));
        }
        let changed = Self {
            content_based: changes.content_based.unwrap_or(self.content_based),
            scope: changes.scope.unwrap_or(self.scope),
            throughput: changes.throughput.unwrap_or(self.throughput),
        };
        changed.check()?;
        Ok(changed)
    }

    /// A limit for each group wants deduplication in each group (SQS API, SetQueueAttributes).
    fn check(&self) -> Result<(), Error> {
        if self.throughput == Throughput::PerMessageGroupId && self.scope != Scope::MessageGroup {
            let message = "The perMessageGroupId value of FifoThroughputLimit is allowed only when the value of \
                           DeduplicationScope is messageGroup.";
            return Err(Error::client(kind::INVALID_ATTRIBUTE_VALUE, message));
        }
        Ok(())
    }

    /// Name and value of those that `GetQueueAttributes` shows.
    pub(crate) fn shown(&self) -> [(&'static str, String); 4] {
        [
            ("FifoQueue", true.to_string()),
            ("ContentBasedDeduplication", self.content_based.to_string()),
            ("DeduplicationScope", text(&self.scope)),
            ("FifoThroughputLimit", text(&self.throughput)),
        ]
    }
}

/// `SequenceNumber` of the message with this id.
pub(crate) fn sequence(message: i64) -> String {
    FIRST_SEQUENCE.saturating_add(message.unsigned_abs()).to_string()
}

/// 1 to 128 letters, digits and punctuation marks (SQS API, SendMessage, `MessageGroupId`).
pub(crate) fn check_token(name: &str, value: &str) -> Result<(), Error> {
    if (1..=LONGEST_TOKEN).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = format!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(Error::parameter(name, value, &reason))
}

/// A parameter that this kind of queue does not take.
pub(crate) fn wrong_kind(name: &str, value: impl std::fmt::Display) -> Error {
    Error::parameter(name, value, "The request include parameter that is not valid for this queue type.")
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    *place = Some(value?);
    Some(())
}

/// `true` or `false` of a JSON value, or the name of a variant.
fn parse<T: for<'a> Deserialize<'a>>(value: &str) -> Option<T> {
    let is_bool = value == "true" || value == "false";
    let value = if is_bool { serde_json::Value::Bool(value == "true") } else { value.into() };
    serde_json::from_value(value).ok()
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown() {
        let mut changes = FifoChanges::default();
        for (name, value) in [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
        ] {
            assert!(changes.read(name, value).unwrap().is_ok(), "{name}");
            assert!(changes.read(name, "other").unwrap().is_err(), "{name}");
        }
        assert!(changes.read("DelaySeconds", "1").is_none());
        let fifo = Fifo::default().with(&changes).unwrap();
        let shown = fifo.shown().map(|(_, value)| value);
        assert_eq!(shown, ["true", "true", "messageGroup", "perMessageGroupId"]);
        assert!(fifo.check().is_ok() && Fifo { scope: Scope::Queue, ..fifo }.check().is_err());
        assert!(changes.check_standard().is_err());
    }

    #[test]
    fn sequence_numbers_have_twenty_digits_and_grow() {
        assert_eq!(sequence(1).len(), 20);
        assert!(sequence(9) < sequence(10) && sequence(10) < sequence(i64::MAX));
    }

    #[test]
    fn tokens_are_printable_and_bounded() {
        for good in ["a", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", &"x".repeat(128)] {
            assert!(check_token("MessageGroupId", good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "é", "\t", &"x".repeat(129)] {
            assert!(check_token("MessageGroupId", bad).is_err(), "{bad}");
        }
    }
}
