//! The settings of a queue, as attributes and as the store keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    error::{Error, kind},
    fifo::{Fifo, FifoChanges},
    redrive::{Redrive, RedriveAllow},
};
use crate::policy;

/// The largest message there is: 1 MiB since August 2025 (SQS developer guide, "Quotas").
pub(crate) const LARGEST_MESSAGE: i64 = 1_048_576;

/// Everything about a queue that `SetQueueAttributes` can change, except its policy. Seconds and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) visibility_timeout: i64,
    pub(crate) retention: i64,
    pub(crate) delay: i64,
    pub(crate) wait: i64,
    pub(crate) largest: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redrive: Option<Redrive>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redrive_allow: Option<RedriveAllow>,
    /// There for a FIFO queue, and for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fifo: Option<Fifo>,
}

/// Changes to a queue, checked. `Some(None)` takes a thing away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    numbers: Vec<(Number, i64)>,
    pub(crate) redrive: Option<Option<Redrive>>,
    redrive_allow: Option<Option<RedriveAllow>>,
    pub(crate) policy: Option<Option<String>>,
    fifo: FifoChanges,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    VisibilityTimeout,
    Retention,
    Delay,
    Wait,
    Largest,
}

impl Default for Settings {
    /// The defaults of the SQS API, CreateQueue.
    fn default() -> Self {
        Self {
            visibility_timeout: 30,
            retention: 4 * 24 * 3600,
            delay: 0,
            wait: 0,
            largest: LARGEST_MESSAGE,
            redrive: None,
            redrive_allow: None,
            fifo: None,
        }
    }
}

impl Settings {
    fn number(&mut self, number: Number) -> &mut i64 {
        match number {
            Number::VisibilityTimeout => &mut self.visibility_timeout,
            Number::Retention => &mut self.retention,
            Number::Delay => &mut self.delay,
            Number::Wait => &mut self.wait,
            Number::Largest => &mut self.largest,
        }
    }

    /// Those of a new queue: the defaults for its kind, changed.
    pub(crate) fn new(changes: &Changes) -> Result<Self, Error> {
        let fifo = changes.make_fifo().then(Fifo::default);
        Self { fifo, ..Self::default() }.with(changes)
    }

    /// The settings after the changes, if they go together.
    pub(crate) fn with(mut self, changes: &Changes) -> Result<Self, Error> {
        for (number, value) in &changes.numbers {
            *self.number(*number) = *value;
        }
        if let Some(redrive) = &changes.redrive {
            self.redrive.clone_from(redrive);
        }
        if let Some(redrive_allow) = &changes.redrive_allow {
            self.redrive_allow.clone_from(redrive_allow);
        }
        match &mut self.fifo {
            Some(fifo) => *fifo = fifo.with(&changes.fifo)?,
            None => changes.fifo.check_standard()?,
        }
        Ok(self)
    }

    /// Name and value of those that `GetQueueAttributes` shows.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("VisibilityTimeout", self.visibility_timeout.to_string()),
            ("MessageRetentionPeriod", self.retention.to_string()),
            ("DelaySeconds", self.delay.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
            ("MaximumMessageSize", self.largest.to_string()),
        ];
        if let Some(redrive) = self.redrive.as_ref().and_then(|redrive| serde_json::to_string(redrive).ok()) {
            shown.push(("RedrivePolicy", redrive));
        }
        if let Some(allow) = self.redrive_allow.as_ref().and_then(|allow| serde_json::to_string(allow).ok()) {
            shown.push(("RedriveAllowPolicy", allow));
        }
        shown.extend(self.fifo.iter().flat_map(Fifo::shown));
        shown
    }
}

impl Changes {
    /// Reads and checks the attributes of `CreateQueue` and `SetQueueAttributes`.
    pub(crate) fn parse(attributes: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut changes = Self::default();
        for (name, value) in attributes {
            match name.as_str() {
                "VisibilityTimeout" => changes.push(Number::VisibilityTimeout, name, value, 0, 43_200)?,
                "MessageRetentionPeriod" => changes.push(Number::Retention, name, value, 60, 1_209_600)?,
                "DelaySeconds" => changes.push(Number::Delay, name, value, 0, 900)?,
                "ReceiveMessageWaitTimeSeconds" => changes.push(Number::Wait, name, value, 0, 20)?,
                "MaximumMessageSize" => changes.push(Number::Largest, name, value, 1024, LARGEST_MESSAGE)?,
                "RedrivePolicy" => changes.redrive = Some(Redrive::parse(value)?),
                "RedriveAllowPolicy" => changes.redrive_allow = Some(RedriveAllow::parse(value)?),
                "Policy" => changes.policy = Some(queue_policy(value)?),
                "KmsMasterKeyId" if value.is_empty() => {}
                "SqsManagedSseEnabled" if value == "false" => {}
                "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds" | "SqsManagedSseEnabled" => {
                    let message = format!("{name}: messages are not encrypted at rest here.");
                    return Err(Error::client(kind::UNSUPPORTED, message));
                }
                other => changes.fifo.read(other, value).unwrap_or_else(|| Err(unknown(other)))?,
            }
        }
        Ok(changes)
    }

    /// Whether a queue made with them is a FIFO queue.
    pub(crate) fn make_fifo(&self) -> bool {
        self.fifo.declared == Some(true)
    }

    /// Whether `DelaySeconds` is among them.
    pub(crate) fn sets_delay(&self) -> bool {
        self.numbers.iter().any(|(number, _)| *number == Number::Delay)
    }

    fn push(&mut self, number: Number, name: &str, text: &str, least: i64, most: i64) -> Result<(), Error> {
        match text.parse() {
            Ok(value) if (least..=most).contains(&value) => self.numbers.push((number, value)),
            _ => return Err(invalid(name, &format!("It must be a number from {least} to {most}."))),
        }
        Ok(())
    }
}

pub(super) fn invalid(name: &str, reason: &str) -> Error {
    Error::client(kind::INVALID_ATTRIBUTE_VALUE, format!("Invalid value for the parameter {name}. {reason}"))
}

fn unknown(name: &str) -> Error {
    Error::client(kind::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {name}."))
}

fn queue_policy(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    if policy::is_readable(text) {
        Ok(Some(text.to_owned()))
    } else {
        Err(invalid("Policy", "It is not a policy document."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, value: &str) -> Result<Changes, Error> {
        Changes::parse(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn bounds_are_held() {
        for (name, least, most) in [
            ("VisibilityTimeout", 0, 43_200),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("DelaySeconds", 0, 900),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("MaximumMessageSize", 1024, 1_048_576),
        ] {
            for good in [least, most] {
                assert!(parse(name, &good.to_string()).is_ok(), "{name} {good}");
            }
            for bad in [(least - 1).to_string(), (most + 1).to_string(), "x".into(), String::new()] {
                assert!(parse(name, &bad).is_err(), "{name} {bad}");
            }
        }
        assert!(parse("Other", "1").is_err());
        assert!(parse("SqsManagedSseEnabled", "false").is_ok());
        assert!(parse("SqsManagedSseEnabled", "true").is_err());
    }

    #[test]
    fn a_queue_is_of_one_kind_for_good() {
        let fifo = parse("FifoQueue", "true").unwrap();
        let settings = Settings::new(&fifo).unwrap();
        assert!(settings.fifo.is_some());
        assert_eq!(settings.clone().with(&fifo).unwrap(), settings);
        assert!(Settings::default().with(&fifo).is_err());
        for (name, value) in [("FifoQueue", "false"), ("ContentBasedDeduplication", "false")] {
            assert!(Settings::new(&parse(name, value).unwrap()).is_err(), "{name}");
        }
        assert!(settings.with(&parse("FifoQueue", "false").unwrap()).is_err());
    }
}
