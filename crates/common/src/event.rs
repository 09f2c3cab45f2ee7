//! Each message that crosses a queue or topic: tagged by `kind`, versioned by `v`.
//!
//! Readers ignore members that they do not know; a change that an old reader would misread gets a new `v`.

use std::collections::BTreeMap;

use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{FileId, FileState, Filename, OutputState, Profile, Timestamp, UserId, WebhookId, metadata::ENCODED};

/// The version of a message, always 1 so far. Another number fails to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(D::Error::custom(format_args!("version {other} is not known, only 1"))),
        }
    }
}

/// Any message; the tag `kind` tells which. For the reader of a queue that carries several kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// See [`TranscodeRequest`].
    TranscodeRequest(TranscodeRequest),
    /// See [`TranscodeResult`].
    TranscodeResult(TranscodeResult),
    /// See [`FileDeleted`].
    FileDeleted(FileDeleted),
    /// See [`WebhookDisabled`].
    WebhookDisabled(WebhookDisabled),
}

impl Event {
    /// Reads any message from JSON text.
    pub fn decode(body: &str) -> Result<Self, DecodeError> {
        Ok(serde_json::from_str(body)?)
    }
}

/// A body that is not the message that its reader expects.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, a member is missing or malformed, or the kind or version is unknown.
    #[error("not a readable message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A message of another kind than this queue carries.
    #[error("a message of another kind than expected")]
    Kind,
}

macro_rules! message {
    ($name:ident) => {
        impl $name {
            /// The message as JSON text.
            #[must_use]
            pub fn encode(&self) -> String {
                // A struct of strings and numbers always has a JSON form.
                serde_json::to_string(&Event::$name(self.clone())).expect("a message of text and numbers")
            }

            /// Reads a message from JSON text.
            pub fn decode(body: &str) -> Result<Self, DecodeError> {
                match Event::decode(body)? {
                    Event::$name(message) => Ok(message),
                    _ => Err(DecodeError::Kind),
                }
            }
        }
    };
}

message!(TranscodeRequest);
message!(TranscodeResult);
message!(FileDeleted);
message!(WebhookDisabled);

/// Asks for one transcode job. From upload-api, on the queue `transcode-requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscodeRequest {
    /// The message's version.
    pub v: V1,
    /// The file; a second request for the same file makes no second job.
    pub file_id: FileId,
    /// Who is told of the outcome.
    pub owner: UserId,
    /// What the owner called the file.
    pub filename: Filename,
    /// What to make of it.
    pub profile: Profile,
    /// The object to read, in the pipeline's input bucket.
    pub input_key: String,
    /// What the keys of all outputs begin with; it ends in `/`.
    pub output_prefix: String,
}

/// One real change of a job. From notification-ingest, on the topic `results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscodeResult {
    /// The message's version.
    pub v: V1,
    /// The transcoder's job.
    pub job_id: String,
    /// The file that was transcoded.
    pub file_id: FileId,
    /// Who owns it.
    pub owner: UserId,
    /// What the owner called it.
    pub filename: Filename,
    /// What became of it: `transcoding`, `complete`, `error` or `canceled`.
    pub state: FileState,
    /// How far the job is, 0 to 100, when the transcoder says so. Of two results of a job, the larger one is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// What was not as asked for, in a sentence, when the transcoder warned. The job goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Each output so far.
    pub outputs: Vec<OutputResult>,
    /// Why the job failed, when it did.
    pub error: Option<ResultError>,
    /// When the event was accepted.
    pub at: Timestamp,
}

/// The owner deleted the file: no job need be made of it, and nobody wants to hear of it any more. From
/// upload-api, on the queue `transcode-requests` and the topic `results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDeleted {
    /// The message's version.
    pub v: V1,
    /// The file.
    pub file_id: FileId,
    /// Who owned it.
    pub owner: UserId,
    /// When it was deleted.
    pub at: Timestamp,
}

/// A webhook was switched off because its target does not take what it is sent. From notification-ingest, on the
/// topic `results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookDisabled {
    /// The message's version.
    pub v: V1,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Who is told.
    pub owner: UserId,
    /// The host of its URL. The rest of a URL may hold secrets.
    pub host: String,
    /// Why.
    pub reason: DisabledReason,
    /// When it was switched off.
    pub at: Timestamp,
}

/// Why a webhook was switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisabledReason {
    /// It answered 410 Gone.
    Gone,
    /// No delivery has succeeded for days.
    Failing,
}

/// How an owner is spelled in a message attribute, so that any filter policy can hold it: what is not a letter, a
/// digit or one of `-_.@` is percent-encoded.
#[must_use]
pub fn owner_attribute(owner: &UserId) -> String {
    utf8_percent_encode(owner.as_str(), ENCODED).to_string()
}

/// What subscribers of the topic `results` can filter by.
fn attributes(kind: &str, owner: &UserId, state: Option<FileState>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([
        ("kind".to_owned(), kind.to_owned()),
        ("owner".to_owned(), owner_attribute(owner)),
        ("v".to_owned(), "1".to_owned()),
    ]);
    attributes.extend(state.map(|state| ("state".to_owned(), state.to_string())));
    attributes
}

impl TranscodeResult {
    /// Its message attributes: `kind`, `owner`, `state` and `v`.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        attributes("transcode_result", &self.owner, Some(self.state))
    }
}

impl FileDeleted {
    /// Its message attributes: `kind`, `owner` and `v`.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        attributes("file_deleted", &self.owner, None)
    }
}

impl WebhookDisabled {
    /// Its message attributes: `kind`, `owner` and `v`.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        attributes("webhook_disabled", &self.owner, None)
    }
}

/// One output of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputResult {
    /// The object's whole key.
    pub key: String,
    /// The preset that makes it.
    pub preset_id: String,
    /// Where it is.
    pub state: OutputState,
    /// Its length, in milliseconds, once known.
    pub duration_ms: Option<i64>,
    /// Its size, in bytes, once known.
    pub size: Option<i64>,
    /// Why it failed, when it did.
    pub error: Option<ResultError>,
}

/// Why a job or an output failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultError {
    /// The transcoder's error code, for instance 4000.
    pub code: u32,
    /// A sentence for the owner.
    pub message: String,
}
