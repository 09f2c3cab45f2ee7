//! Request bodies and query strings. Everything is optional here; [`crate::validate`] says what is missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AudioParameters, Captions, Clip, CreateJobPlaylist, Encryption, JobAlbumArt, JobInput, JobWatermark, Notifications,
    PipelineOutputConfig, Thumbnails, VideoParameters,
};

/// Body of CreatePipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CreatePipelineRequest {
    pub name: Option<String>,
    pub input_bucket: Option<String>,
    pub output_bucket: Option<String>,
    pub role: Option<String>,
    pub aws_kms_key_arn: Option<String>,
    pub notifications: Option<Notifications>,
    pub content_config: Option<PipelineOutputConfig>,
    pub thumbnail_config: Option<PipelineOutputConfig>,
}

/// Body of UpdatePipeline. What is left out or null stays; an empty text or list clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct UpdatePipelineRequest {
    pub name: Option<String>,
    pub input_bucket: Option<String>,
    pub role: Option<String>,
    pub aws_kms_key_arn: Option<String>,
    pub notifications: Option<NotificationsUpdate>,
    pub content_config: Option<PipelineOutputConfig>,
    pub thumbnail_config: Option<PipelineOutputConfig>,
}

/// Topics to change. What is left out or null stays; an empty text turns the kind off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct NotificationsUpdate {
    pub progressing: Option<String>,
    pub completed: Option<String>,
    pub warning: Option<String>,
    pub error: Option<String>,
}

/// Body of UpdatePipelineNotifications.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct UpdatePipelineNotificationsRequest {
    pub notifications: Option<NotificationsUpdate>,
}

/// Body of UpdatePipelineStatus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct UpdatePipelineStatusRequest {
    pub status: Option<String>,
}

/// Body of CreatePreset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CreatePresetRequest {
    pub name: Option<String>,
    pub description: Option<String>,
    pub container: Option<String>,
    pub video: Option<VideoParameters>,
    pub audio: Option<AudioParameters>,
    pub thumbnails: Option<Thumbnails>,
}

/// Body of TestRole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct TestRoleRequest {
    pub role: Option<String>,
    pub input_bucket: Option<String>,
    pub output_bucket: Option<String>,
    pub topics: Option<Vec<String>>,
}

/// Body of CreateJob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CreateJobRequest {
    pub pipeline_id: Option<String>,
    pub input: Option<JobInput>,
    pub inputs: Option<Vec<JobInput>>,
    pub output: Option<CreateJobOutput>,
    pub outputs: Option<Vec<CreateJobOutput>>,
    pub output_key_prefix: Option<String>,
    pub playlists: Option<Vec<CreateJobPlaylist>>,
    pub user_metadata: Option<BTreeMap<String, String>>,
}

impl CreateJobRequest {
    /// The inputs, however they were given.
    pub fn all_inputs(&self) -> Vec<&JobInput> {
        match &self.input {
            Some(input) => vec![input],
            None => self.inputs.iter().flatten().collect(),
        }
    }

    /// The outputs, however they were given.
    pub fn all_outputs(&self) -> Vec<&CreateJobOutput> {
        match &self.output {
            Some(output) => vec![output],
            None => self.outputs.iter().flatten().collect(),
        }
    }
}

/// An output as requested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CreateJobOutput {
    pub key: Option<String>,
    pub thumbnail_pattern: Option<String>,
    pub thumbnail_encryption: Option<Encryption>,
    pub rotate: Option<String>,
    pub preset_id: Option<String>,
    pub segment_duration: Option<String>,
    pub watermarks: Option<Vec<JobWatermark>>,
    pub album_art: Option<JobAlbumArt>,
    pub composition: Option<Vec<Clip>>,
    pub captions: Option<Captions>,
    pub encryption: Option<Encryption>,
}

/// Query string of the list operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListQuery {
    /// `true` is oldest first.
    pub ascending: Option<String>,
    /// `NextPageToken` of the page before.
    pub page_token: Option<String>,
}

impl ListQuery {
    /// Whether oldest come first. What the service did without the parameter is not documented; its presets came so.
    pub fn is_ascending(&self) -> bool {
        self.ascending.as_deref() != Some("false")
    }
}
