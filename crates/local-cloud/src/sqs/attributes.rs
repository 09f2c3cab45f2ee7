//! The settings of a queue, as attributes and as the store keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    error::{Error, kind},
    policy,
};

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
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    /// The ARN of the dead-letter queue.
    #[serde(rename = "deadLetterTargetArn")]
    pub(crate) target: String,
    /// How often a message is handed out before it goes there.
    #[serde(rename = "maxReceiveCount")]
    pub(crate) most_receives: i64,
}

/// Changes to a queue, checked. `Some(None)` takes a thing away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    numbers: Vec<(Number, i64)>,
    pub(crate) redrive: Option<Option<Redrive>>,
    pub(crate) policy: Option<Option<String>>,
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
        let retention = 4 * 24 * 3600;
        Self { visibility_timeout: 30, retention, delay: 0, wait: 0, largest: LARGEST_MESSAGE, redrive: None }
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

    /// The settings after the changes.
    pub(crate) fn with(mut self, changes: &Changes) -> Self {
        for (number, value) in &changes.numbers {
            *self.number(*number) = *value;
        }
        if let Some(redrive) = &changes.redrive {
            self.redrive.clone_from(redrive);
        }
        self
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
                "RedrivePolicy" => changes.redrive = Some(redrive(value)?),
                "Policy" => changes.policy = Some(queue_policy(value)?),
                "FifoQueue" | "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                    return Err(Error::client(kind::UNSUPPORTED, "FIFO queues are not available here."));
                }
                other => {
                    return Err(Error::client(kind::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {other}.")));
                }
            }
        }
        Ok(changes)
    }

    fn push(&mut self, number: Number, name: &str, text: &str, least: i64, most: i64) -> Result<(), Error> {
        match text.parse() {
            Ok(value) if (least..=most).contains(&value) => self.numbers.push((number, value)),
            _ => return Err(invalid(name, &format!("It must be a number from {least} to {most}."))),
        }
        Ok(())
    }
}

fn invalid(name: &str, reason: &str) -> Error {
    Error::client(kind::INVALID_ATTRIBUTE_VALUE, format!("Invalid value for the parameter {name}. {reason}"))
}

fn redrive(text: &str) -> Result<Option<Redrive>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |reason: &str| invalid("RedrivePolicy", reason);
    let value: Value = serde_json::from_str(text).map_err(|_| wrong("It is not JSON."))?;
    let target = value["deadLetterTargetArn"].as_str().ok_or(wrong("It lacks deadLetterTargetArn."))?;
    // Both 5 and "5" are in use.
    let count = &value["maxReceiveCount"];
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok());
    match count {
        Some(most_receives @ 1..=1000) => Ok(Some(Redrive { target: target.to_owned(), most_receives })),
        _ => Err(wrong("maxReceiveCount must be a number from 1 to 1000.")),
    }
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
        assert!(parse("FifoQueue", "true").is_err());
    }

    #[test]
    fn a_redrive_policy_is_read_in_both_spellings_and_taken_away() {
        let expected = Redrive { target: "arn:x".into(), most_receives: 5 };
        for text in [
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":5}"#,
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"5"}"#,
        ] {
            assert_eq!(parse("RedrivePolicy", text).unwrap().redrive, Some(Some(expected.clone())));
        }
        assert_eq!(parse("RedrivePolicy", "").unwrap().redrive, Some(None));
        for bad in ["x", "{}", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#, r#"{"maxReceiveCount":5}"#] {
            assert!(parse("RedrivePolicy", bad).is_err(), "{bad}");
        }
    }
}
