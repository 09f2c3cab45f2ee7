//! A notice: what a user is told. Its JSON calls it a message.

use std::{fmt, num::ParseIntError, str::FromStr};

use common::{FileId, FileState, NoticeId, Timestamp, TranscodeResult, UserId, WebhookDisabled, event::DisabledReason};
use serde::Serialize;

/// The longest reason that is repeated to a user, in characters.
const MAX_REASON: usize = 500;

/// The place of a notice among its owner's: 1 is the first. Given in the order of commits, so that
/// whoever has seen number 7 has seen everything up to it. Ids cannot promise that: two processes
/// may commit theirs in another order than they made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Sequence(i64);

/// The text is no sequence number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sequence number")]
pub struct InvalidSequence;

/// A notice as it is stored and shown.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// What happened, for programs: `file_complete`, `file_failed`, `file_canceled`, `webhook_disabled`.
    /// Text, so that a kind which a newer version stored does not make a list unreadable.
    pub kind: String,
    /// How bad it is: `info`, `warning` or `error`.
    pub level: String,
    /// What happened, for people.
    pub text: String,
    /// The file that it is about.
    pub file_id: Option<FileId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner read it.
    pub read_at: Option<Timestamp>,
    /// Its place among its owner's notices.
    #[serde(skip)]
    pub sequence: Sequence,
}

/// A notice that is not stored yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// Who is told.
    pub owner: UserId,
    /// What happened, for programs.
    pub kind: &'static str,
    /// How bad it is.
    pub level: &'static str,
    /// What happened, for people.
    pub text: String,
    /// What it is about, which makes one notice only.
    pub about: About,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The file that ended.
    File(FileId),
    /// Anything else, by a name that the same message has each time that it comes.
    Source(String),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(id) => id.fmt(f),
            Self::Source(name) => f.write_str(name),
        }
    }
}

impl NewNotice {
    /// What the owner is told of a result: nothing while the file is still on its way.
    #[must_use]
    pub fn of(result: &TranscodeResult) -> Option<Self> {
        let filename = &result.filename;
        let (kind, level, text) = match result.state {
            FileState::Complete => ("file_complete", "info", format!("Your file {filename} has been processed")),
            FileState::Error => ("file_failed", "error", failure(result)),
            FileState::Canceled => {
                ("file_canceled", "warning", format!("The processing of your file {filename} was canceled"))
            }
            FileState::Uploading | FileState::Queued | FileState::Transcoding => return None,
        };
        Some(Self { owner: result.owner.clone(), kind, level, text, about: About::File(result.file_id) })
    }

    /// What the owner of a webhook is told when it was switched off.
    #[must_use]
    pub fn of_webhook(disabled: &WebhookDisabled) -> Self {
        let host = plain(&disabled.host);
        let why = match disabled.reason {
            DisabledReason::Gone => "it answered that it is gone (410)",
            DisabledReason::Failing => "it has taken nothing for days",
        };
        Self {
            owner: disabled.owner.clone(),
            kind: "webhook_disabled",
            level: "warning",
            text: format!("Your webhook at {host} was switched off: {why}"),
            about: About::Source(format!("webhook/{}/{}", disabled.webhook_id, disabled.at.as_millis())),
        }
    }
}

/// Says why: in the job's words, else in those of the first output that has some.
fn failure(result: &TranscodeResult) -> String {
    let outputs = result.outputs.iter().filter_map(|output| output.error.as_ref());
    let reason = result.error.iter().chain(outputs).map(|error| plain(&error.message)).find(|text| !text.is_empty());
    let filename = &result.filename;
    match reason {
        Some(reason) => format!("Your file {filename} could not be processed: {reason}"),
        None => format!("Your file {filename} could not be processed"),
    }
}

/// One bounded line. PostgreSQL stores no NUL, and nobody wants to read control characters.
fn plain(message: &str) -> String {
    let line = message.replace(char::is_control, " ");
    let mut short: String = line.trim().chars().take(MAX_REASON).collect();
    if short.len() < line.trim().len() {
        short.push('…');
    }
    short
}

impl Sequence {
    /// After every notice.
    pub const MAX: Self = Self(i64::MAX);

    /// From the database's form.
    #[must_use]
    pub const fn from_i64(number: i64) -> Self {
        Self(number)
    }

    /// The database's form.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Sequence {
    type Err = InvalidSequence;

    fn from_str(text: &str) -> Result<Self, InvalidSequence> {
        // `+7` and `-7` parse as numbers, but nobody was given them.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidSequence);
        }
        text.parse().map(Self).map_err(|_: ParseIntError| InvalidSequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(state: &str, error: Option<&str>) -> TranscodeResult {
        let sample = include_str!("../../../crates/common/tests/fixtures/transcode_result.json");
        let mut result = TranscodeResult::decode(sample).unwrap();
        result.state = state.parse().unwrap();
        match (error, &mut result.error) {
            (Some(message), Some(error)) => error.message = message.to_owned(),
            _ => result.error = None,
        }
        result
    }

    fn text(state: &str, error: Option<&str>) -> String {
        NewNotice::of(&result(state, error)).unwrap().text
    }

    #[test]
    fn each_end_has_its_words() {
        assert_eq!(text("complete", None), "Your file song.mp3 has been processed");
        assert_eq!(text("canceled", None), "The processing of your file song.mp3 was canceled");
        assert_eq!(
            text("error", Some("The file has no sound.")),
            "Your file song.mp3 could not be processed: The file has no sound."
        );
        let kinds = ["complete", "error", "canceled"].map(|state| {
            let notice = NewNotice::of(&result(state, None)).unwrap();
            (notice.kind, notice.level)
        });
        assert_eq!(kinds, [("file_complete", "info"), ("file_failed", "error"), ("file_canceled", "warning")]);
    }

    #[test]
    fn a_file_on_its_way_makes_no_notice() {
        for state in ["uploading", "queued", "transcoding"] {
            assert_eq!(NewNotice::of(&result(state, None)), None, "{state}");
        }
    }

    #[test]
    fn a_failure_without_a_reason_of_its_own_gives_the_outputs() {
        let said = "Your file song.mp3 could not be processed: The file could not be read as audio or video.";
        assert_eq!(text("error", None), said);
        let mut silent = result("error", None);
        silent.outputs.clear();
        assert_eq!(NewNotice::of(&silent).unwrap().text, "Your file song.mp3 could not be processed");
    }

    #[test]
    fn a_reason_is_one_bounded_line() {
        let text = text("error", Some(&format!("a\0b\n{}", "夜".repeat(2000))));
        assert!(!text.contains(char::is_control) && text.contains("a b 夜") && text.ends_with('…'), "{text}");
        assert!(text.chars().count() < 600);
    }

    #[test]
    fn a_sequence_is_digits() {
        assert_eq!("7".parse(), Ok(Sequence(7)));
        for bad in ["", "-1", "+1", "x", "1.5", "9223372036854775808", "٧"] {
            assert_eq!(bad.parse::<Sequence>(), Err(InvalidSequence), "{bad:?}");
        }
    }
}
