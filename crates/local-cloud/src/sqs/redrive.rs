//! `RedrivePolicy` and `RedriveAllowPolicy`: where dead letters go, and who may send them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{attributes::invalid, error::Error};

/// The most queues in `sourceQueueArns` (SQS API, SetQueueAttributes).
const MOST_SOURCES: usize = 10;

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

/// Which queues may use a queue for their dead letters; all, when there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedriveAllow {
    #[serde(rename = "redrivePermission")]
    permission: Permission,
    #[serde(default, rename = "sourceQueueArns", skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Permission {
    AllowAll,
    DenyAll,
    ByQueue,
}

impl Redrive {
    /// None for empty text, which takes a policy away.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
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
            Some(most_receives @ 1..=1000) => Ok(Some(Self { target: target.to_owned(), most_receives })),
            _ => Err(wrong("maxReceiveCount must be a number from 1 to 1000.")),
        }
    }
}

impl RedriveAllow {
    /// None for empty text, which takes a policy away.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |reason: &str| invalid("RedriveAllowPolicy", reason);
        let allow: Self = serde_json::from_str(text)
            .map_err(|_| wrong("redrivePermission must be allowAll, denyAll or byQueue, sourceQueueArns a list."))?;
        match (allow.permission, allow.sources.len()) {
            (Permission::ByQueue, 1..=MOST_SOURCES) | (Permission::AllowAll | Permission::DenyAll, 0) => {
                Ok(Some(allow))
            }
            (Permission::ByQueue, _) => Err(wrong("byQueue needs sourceQueueArns, from 1 to 10 of them.")),
            _ => Err(wrong("sourceQueueArns goes with byQueue only.")),
        }
    }

    pub(crate) fn allows(&self, source_arn: &str) -> bool {
        match self.permission {
            Permission::AllowAll => true,
            Permission::DenyAll => false,
            Permission::ByQueue => self.sources.iter().any(|source| source == source_arn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_in_both_spellings_and_taken_away() {
        let expected = Redrive { target: "arn:x".into(), most_receives: 5 };
        for text in [
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":5}"#,
            r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"5"}"#,
        ] {
            assert_eq!(Redrive::parse(text).unwrap(), Some(expected.clone()));
        }
        assert_eq!(Redrive::parse("").unwrap(), None);
        for bad in ["x", "{}", r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#, r#"{"maxReceiveCount":5}"#] {
            assert!(Redrive::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redrive_allow_policy_says_who_may() {
        let by_queue = |text: &str| RedriveAllow::parse(text).unwrap().unwrap();
        assert!(by_queue(r#"{"redrivePermission":"allowAll"}"#).allows("arn:a"));
        assert!(!by_queue(r#"{"redrivePermission":"denyAll"}"#).allows("arn:a"));
        let some = by_queue(r#"{"redrivePermission":"byQueue","sourceQueueArns":["arn:a"]}"#);
        assert!(some.allows("arn:a") && !some.allows("arn:b"));
        assert_eq!(RedriveAllow::parse("").unwrap(), None);
        let eleven =
            serde_json::json!({ "redrivePermission": "byQueue", "sourceQueueArns": vec!["a"; 11] }).to_string();
        for bad in [
            "x",
            r#"{"redrivePermission":"some"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"denyAll","sourceQueueArns":["arn:a"]}"#,
            &eleven,
        ] {
            assert!(RedriveAllow::parse(bad).is_err(), "{bad}");
        }
    }
}
