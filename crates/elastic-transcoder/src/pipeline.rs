//! Pipelines: where jobs take their input, put their output and tell about it.

use serde::{Deserialize, Serialize};

use crate::PipelineStatus;

/// A pipeline as replies show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pipeline {
    /// `^\d{13}-\w{6}$`
    pub id: String,
    /// Its resource name.
    pub arn: String,
    /// 1 to 40 characters; need not be unique.
    pub name: String,
    /// Whether it starts jobs.
    pub status: PipelineStatus,
    /// Where inputs lie.
    pub input_bucket: String,
    /// Where outputs go; replies show it beside both configs.
    pub output_bucket: Option<String>,
    /// The role that the original service assumed; kept and shown.
    pub role: String,
    /// The key that the original service encrypted with; kept and shown.
    pub aws_kms_key_arn: Option<String>,
    /// Topics to publish to.
    pub notifications: Notifications,
    /// Where files and playlists go.
    pub content_config: PipelineOutputConfig,
    /// Where thumbnails go.
    pub thumbnail_config: PipelineOutputConfig,
}

/// SNS topics by kind of event; an empty text means none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Notifications {
    /// Told when a job starts.
    #[serde(deserialize_with = "or_empty")]
    pub progressing: String,
    /// Told when a job is complete.
    #[serde(deserialize_with = "or_empty")]
    pub completed: String,
    /// Told of what is not quite as asked for.
    #[serde(deserialize_with = "or_empty")]
    pub warning: String,
    /// Told when a job failed.
    #[serde(deserialize_with = "or_empty")]
    pub error: String,
}

/// A bucket for outputs, with what is set on the objects put there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PipelineOutputConfig {
    /// The bucket.
    pub bucket: Option<String>,
    /// `Standard` or `ReducedRedundancy`.
    pub storage_class: Option<String>,
    /// Grants on each object.
    pub permissions: Option<Vec<Permission>>,
}

/// One grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permission {
    /// `Canonical`, `Email` or `Group`.
    pub grantee_type: Option<String>,
    /// Who.
    pub grantee: Option<String>,
    /// `Read`, `ReadAcp`, `WriteAcp`, `FullControl`.
    pub access: Option<Vec<String>>,
}

/// Something about a pipeline that works but is ill advised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Warning {
    /// 6000 to 6008.
    pub code: Option<String>,
    /// The sentence.
    pub message: Option<String>,
}

fn or_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
