//! What the transcoder publishes to a pipeline's SNS topics: written as the service wrote it, read tolerantly.
//!
//! The text is the `Message` of an SNS envelope. Key order and spacing follow real messages; members that do not
//! apply are left out, never null.

mod lenient;
mod pretty;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::API_VERSION;

/// One event in the life of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// What happened.
    pub state: State,
    /// Only when the job failed as a whole, for instance 3001.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub error_code: Option<u64>,
    /// The sentence that belongs to [`Self::error_code`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_details: Option<String>,
    /// Always [`API_VERSION`].
    #[serde(default = "api_version")]
    pub version: String,
    /// The job.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline_id: String,
    /// The input as the request gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// How many inputs the request gave.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub input_count: Option<u64>,
    /// Goes before the key of every output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_key_prefix: Option<String>,
    /// In the order of the request.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// In the order of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playlists: Vec<Playlist>,
    /// As the request gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// How far a running job is. An addition of ours, in messages that the original service did not send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How far a running job is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// 0 to 100.
    pub percent: u8,
    /// A multiple of real time.
    pub speed: f64,
}

/// The kind of event; each has its own topic on the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The job has started.
    Progressing,
    /// Every output is complete.
    Completed,
    /// Something was not as asked for.
    Warning,
    /// At least one output failed, or the job as a whole.
    Error,
}

/// The input's members that the request gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named and documented on JobInput")]
pub struct Input {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect_ratio: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interlaced: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// One output of the job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// `"1"`, `"2"` … in request order.
    pub id: String,
    /// The preset asked for.
    #[serde(default)]
    pub preset_id: String,
    /// Object name after the job's prefix.
    #[serde(default)]
    pub key: String,
    /// As the request gave it, possibly empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_pattern: Option<String>,
    /// As the request gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<String>,
    /// Seconds; a JSON number here, unlike in the API.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::float")]
    pub segment_duration: Option<f64>,
    /// `Submitted`, `Progressing`, `Complete`, `Warning`, `Error` or `Canceled`.
    #[serde(default)]
    pub status: String,
    /// Why it failed, or what was not as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
    /// The number at the start of [`Self::status_detail`] of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub error_code: Option<u64>,
    /// Whole seconds, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub duration: Option<u64>,
    /// Picture width; absent for audio.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub width: Option<u64>,
    /// Picture height; absent for audio.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub height: Option<u64>,
    /// Exact length. An addition of ours: no message of the original service showed it, and its clients ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub duration_millis: Option<u64>,
    /// Bytes of the object. An addition of ours, as [`Self::duration_millis`].
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub file_size: Option<u64>,
}

/// One playlist of the job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "named and documented on the API's Playlist")]
pub struct Playlist {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub format: String,
    #[serde(default)]
    pub output_keys: Vec<String>,
    #[serde(default)]
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
}

fn api_version() -> String {
    API_VERSION.to_owned()
}

impl Notification {
    /// Reads the `Message` of an SNS envelope. Members that are not known are passed over.
    pub fn parse(message: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(message)
    }

    /// The `Subject` that the service gave to this event.
    pub fn subject(&self) -> String {
        let job = &self.job_id;
        match self.state {
            State::Progressing => format!("Amazon Elastic Transcoder has scheduled job {job} for transcoding."),
            State::Completed => format!("Amazon Elastic Transcoder has finished transcoding job {job}."),
            State::Error => format!("The Amazon Elastic Transcoder job {job} has failed."),
            // No published message shows this one; it follows the manner of the others.
            State::Warning => {
                format!("Amazon Elastic Transcoder has encountered a warning while transcoding job {job}.")
            }
        }
    }

    /// The `Message`, laid out as the service laid it out.
    pub fn to_message(&self) -> String {
        pretty::to_string(self)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Progressing => "PROGRESSING",
            Self::Completed => "COMPLETED",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

#[cfg(test)]
mod tests;
