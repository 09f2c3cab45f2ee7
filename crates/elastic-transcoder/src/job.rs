//! Jobs as replies show them: scalars that are not set are null, as the service sent them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    CaptionSource, Captions, Clip, CreateJobOutput, Encryption, InputCaptions, JobAlbumArt, JobStatus, JobWatermark,
    Playlist, TimeSpan,
};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Job {
    /// `^\d{13}-\w{6}$`
    pub id: String,
    /// Its resource name.
    pub arn: String,
    /// The pipeline it was sent to.
    pub pipeline_id: String,
    /// The first of the inputs.
    pub input: Option<JobInput>,
    /// All inputs.
    #[serde(default)]
    pub inputs: Vec<JobInput>,
    /// The first of the outputs.
    pub output: Option<JobOutput>,
    /// All outputs.
    #[serde(default)]
    pub outputs: Vec<JobOutput>,
    /// Goes before every key that the job writes, with nothing between.
    pub output_key_prefix: Option<String>,
    /// Master playlists.
    #[serde(default)]
    pub playlists: Vec<Playlist>,
    /// State of the whole.
    pub status: JobStatus,
    /// What the caller attached.
    pub user_metadata: Option<BTreeMap<String, String>>,
    /// When it moved.
    pub timing: Timing,
}

/// Milliseconds since 1970 of a job's moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Timing {
    pub submit_time_millis: Option<i64>,
    pub start_time_millis: Option<i64>,
    pub finish_time_millis: Option<i64>,
}

/// An input, requested and shown in the same form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct JobInput {
    pub key: Option<String>,
    pub frame_rate: Option<String>,
    pub resolution: Option<String>,
    pub aspect_ratio: Option<String>,
    pub interlaced: Option<String>,
    pub container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_span: Option<TimeSpan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_captions: Option<InputCaptions>,
    /// Present once the input was probed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detected_properties: Option<DetectedProperties>,
}

/// What probing an input found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct DetectedProperties {
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub frame_rate: Option<String>,
    pub file_size: Option<i64>,
    pub duration_millis: Option<i64>,
}

/// An output as replies show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the API's own names")]
pub struct JobOutput {
    /// `"1"`, `"2"` … in request order.
    pub id: String,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_encryption: Option<Encryption>,
    /// Left out when the request left it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<String>,
    pub preset_id: String,
    pub segment_duration: Option<String>,
    pub status: JobStatus,
    pub status_detail: Option<String>,
    /// Whole seconds, rounded up.
    pub duration: Option<i64>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub frame_rate: Option<String>,
    pub file_size: Option<i64>,
    pub duration_millis: Option<i64>,
    #[serde(default)]
    pub watermarks: Vec<JobWatermark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album_art: Option<JobAlbumArt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composition: Option<Vec<Clip>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<Captions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    pub applied_color_space_conversion: Option<String>,
}

impl JobOutput {
    /// The output as it stands right after the request.
    pub fn submitted(id: usize, request: &CreateJobOutput) -> Self {
        Self {
            id: id.to_string(),
            key: request.key.clone().unwrap_or_default(),
            thumbnail_pattern: request.thumbnail_pattern.clone(),
            thumbnail_encryption: request.thumbnail_encryption.clone(),
            rotate: request.rotate.clone(),
            preset_id: request.preset_id.clone().unwrap_or_default(),
            segment_duration: request.segment_duration.as_deref().map(normal),
            status: JobStatus::Submitted,
            status_detail: None,
            duration: None,
            width: None,
            height: None,
            frame_rate: None,
            file_size: None,
            duration_millis: None,
            watermarks: request.watermarks.clone().unwrap_or_default(),
            album_art: request.album_art.clone(),
            composition: request.composition.clone(),
            captions: request.captions.clone(),
            encryption: request.encryption.clone(),
            applied_color_space_conversion: None,
        }
    }

    /// Sets the exact length and the whole seconds that follow from it.
    pub fn set_duration(&mut self, millis: i64) {
        self.duration_millis = Some(millis);
        self.duration = Some(millis.div_euclid(1000) + i64::from(millis.rem_euclid(1000) > 0));
    }
}

/// A number of seconds as the service echoed it: `"10"` came back as `"10.0"`.
fn normal(seconds: &str) -> String {
    seconds.parse::<f64>().map_or_else(|_| seconds.to_owned(), |number| format!("{number:?}"))
}

impl JobInput {
    /// Sidecar captions, when there are any.
    pub fn caption_sources(&self) -> &[CaptionSource] {
        self.input_captions.as_ref().and_then(|captions| captions.caption_sources.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> JobOutput {
        JobOutput::submitted(
            1,
            &CreateJobOutput {
                key: Some("a.wav".into()),
                preset_id: Some("1351620000001-300300".into()),
                ..CreateJobOutput::default()
            },
        )
    }

    #[test]
    fn seconds_are_rounded_up() {
        let mut output = output();
        for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (117_353, 118)] {
            output.set_duration(millis);
            assert_eq!(output.duration, Some(seconds), "{millis}");
        }
    }

    #[test]
    fn seconds_of_segments_have_a_decimal() {
        for (given, shown) in [("10", "10.0"), ("10.", "10.0"), ("9.5", "9.5"), ("60.00000", "60.0")] {
            assert_eq!(normal(given), shown);
        }
    }

    #[test]
    fn unset_scalars_are_null_and_lists_empty() {
        let json = serde_json::to_value(output()).unwrap();
        for name in ["FrameRate", "SegmentDuration", "Duration", "AppliedColorSpaceConversion"] {
            assert!(json.get(name).is_some_and(serde_json::Value::is_null), "{name}");
        }
        assert_eq!(json["Watermarks"], serde_json::json!([]));
        assert_eq!(json.get("Rotate"), None);
        assert_eq!(json["Status"], "Submitted");
    }
}
