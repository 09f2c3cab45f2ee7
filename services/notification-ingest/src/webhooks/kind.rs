//! The kinds of events that webhooks are told.

use std::{fmt, str::FromStr};

use common::{FileState, Timestamp, TranscodeResult, WebhookId};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A transcoder works on the file.
    #[serde(rename = "file.transcoding")]
    Transcoding,
    /// All outputs are made.
    #[serde(rename = "file.complete")]
    Complete,
    /// The file could not be transcoded.
    #[serde(rename = "file.error")]
    Error,
    /// It was given up.
    #[serde(rename = "file.canceled")]
    Canceled,
}

/// What a test post is called.
pub const TEST: &str = "webhook.test";

/// Every kind.
pub const KINDS: [Kind; 4] = [Kind::Transcoding, Kind::Complete, Kind::Error, Kind::Canceled];

/// The kinds that a webhook wants, each once; never none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Kind>", into = "Vec<Kind>")]
pub struct Kinds(Vec<Kind>);

/// The text names no kind, or the list is empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("events must be a list with at least one kind")]
pub struct NoKind;

impl Kind {
    /// What a result tells; nothing when it is no news for a subscriber.
    #[must_use]
    pub const fn of(result: &TranscodeResult) -> Option<Self> {
        match result.state {
            FileState::Transcoding => Some(Self::Transcoding),
            FileState::Complete => Some(Self::Complete),
            FileState::Error => Some(Self::Error),
            FileState::Canceled => Some(Self::Canceled),
            FileState::Uploading | FileState::Queued => None,
        }
    }

    /// Its word, the same in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transcoding => "file.transcoding",
            Self::Complete => "file.complete",
            Self::Error => "file.error",
            Self::Canceled => "file.canceled",
        }
    }

    /// The body of the post: type, timestamp and data, as Standard Webhooks recommends.
    #[must_use]
    pub fn body(self, result: &TranscodeResult) -> String {
        json!({ "type": self.as_str(), "timestamp": result.at, "data": result }).to_string()
    }
}

/// The body of a test post.
#[must_use]
pub fn test_body(webhook: WebhookId, now: Timestamp) -> String {
    json!({ "type": TEST, "timestamp": now, "data": { "webhook_id": webhook } }).to_string()
}

impl Kinds {
    /// Whether one of them is `kind`.
    #[must_use]
    pub fn contains(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self(KINDS.to_vec())
    }
}

impl TryFrom<Vec<Kind>> for Kinds {
    type Error = NoKind;

    fn try_from(mut kinds: Vec<Kind>) -> Result<Self, NoKind> {
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() { Err(NoKind) } else { Ok(Self(kinds)) }
    }
}

impl From<Kinds> for Vec<Kind> {
    fn from(kinds: Kinds) -> Self {
        kinds.0
    }
}

/// The database's form: words and commas.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|kind| kind.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for Kinds {
    type Err = NoKind;

    fn from_str(text: &str) -> Result<Self, NoKind> {
        // A kind of a newer version is none that this one can tell.
        let known = |word: &str| KINDS.into_iter().find(|kind| kind.as_str() == word);
        text.split(',').filter_map(known).collect::<Vec<_>>().try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_word_in_json_and_in_the_database() {
        let all = Kinds::default();
        let words: Vec<String> = serde_json::from_value(serde_json::to_value(&all).unwrap()).unwrap();
        assert_eq!(words.join(","), all.to_string());
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("file.error,file.unheard-of".parse::<Kinds>().unwrap().to_string(), "file.error");
        assert!(serde_json::from_str::<Kinds>("[]").is_err() && serde_json::from_str::<Kinds>(r#"["x"]"#).is_err());
        assert_eq!(serde_json::from_str::<Kinds>(r#"["file.error","file.error"]"#).unwrap().to_string(), "file.error");
    }

    #[test]
    fn a_body_has_type_time_and_the_result() {
        let sample = include_str!("../../../../crates/common/tests/fixtures/transcode_result.json");
        let result = TranscodeResult::decode(sample).unwrap();
        let kind = Kind::of(&result).unwrap();
        let body: serde_json::Value = serde_json::from_str(&kind.body(&result)).unwrap();
        assert_eq!(
            (body["type"].as_str(), body["timestamp"].as_str()),
            (Some("file.error"), Some("2026-01-31T12:00:00.000Z"))
        );
        assert_eq!(body["data"]["filename"], "song.mp3");
        assert!(body["data"]["outputs"].as_array().unwrap().len() == 2);
    }
}
