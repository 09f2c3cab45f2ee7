//! Pipelines: where jobs take their input, put their output and tell about it.

use serde::{Deserialize, Serialize};

use crate::{NotificationsUpdate, PipelineStatus, UpdatePipelineRequest};

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

impl Pipeline {
    /// Changes what a checked UpdatePipeline names.
    pub fn update(&mut self, update: UpdatePipelineRequest) {
        set(&mut self.name, update.name);
        set(&mut self.input_bucket, update.input_bucket);
        set(&mut self.role, update.role);
        if let Some(key) = update.aws_kms_key_arn {
            self.aws_kms_key_arn = Some(key).filter(|key| !key.is_empty());
        }
        self.notifications.update(update.notifications.unwrap_or_default());
        self.content_config.update(update.content_config.unwrap_or_default());
        self.thumbnail_config.update(update.thumbnail_config.unwrap_or_default());
        // UpdatePipeline has no OutputBucket. Where a pipeline was made with one, it goes on naming the content's
        // bucket: what the service showed is not documented, and an old name would mislead.
        if self.output_bucket.is_some() {
            self.output_bucket.clone_from(&self.content_config.bucket);
        }
    }
}

impl Notifications {
    /// Changes what a checked UpdatePipeline or UpdatePipelineNotifications names.
    pub fn update(&mut self, update: NotificationsUpdate) {
        set(&mut self.progressing, update.progressing);
        set(&mut self.completed, update.completed);
        set(&mut self.warning, update.warning);
        set(&mut self.error, update.error);
    }
}

impl PipelineOutputConfig {
    fn update(&mut self, update: Self) {
        self.bucket = update.bucket.or_else(|| self.bucket.take());
        self.storage_class = update.storage_class.or_else(|| self.storage_class.take());
        self.permissions = update.permissions.or_else(|| self.permissions.take());
    }
}

fn set(value: &mut String, update: Option<String>) {
    if let Some(new) = update {
        *value = new;
    }
}

fn or_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline() -> Pipeline {
        serde_json::from_str(
            r#"{"Id":"1700000000000-abc123","Arn":"arn","Name":"p","Status":"Active","InputBucket":"in",
                "OutputBucket":"out","Role":"role","AwsKmsKeyArn":"key",
                "Notifications":{"Progressing":"a","Completed":"b","Warning":"c","Error":"d"},
                "ContentConfig":{"Bucket":"out","StorageClass":"Standard","Permissions":[{"Grantee":"x"}]},
                "ThumbnailConfig":{"Bucket":"out"}}"#,
        )
        .unwrap()
    }

    fn updated(json: &str) -> Pipeline {
        let mut pipeline = pipeline();
        pipeline.update(serde_json::from_str(json).unwrap());
        pipeline
    }

    #[test]
    fn what_is_left_out_or_null_stays() {
        let nulls =
            r#"{"Name":null,"AwsKmsKeyArn":null,"Notifications":{"Error":null},"ContentConfig":{"Permissions":null}}"#;
        for json in ["{}", nulls] {
            assert_eq!(updated(json), pipeline(), "{json}");
        }
    }

    #[test]
    fn what_is_empty_is_cleared() {
        let cleared = updated(r#"{"AwsKmsKeyArn":"","Notifications":{"Error":""},"ContentConfig":{"Permissions":[]}}"#);
        assert_eq!(cleared.aws_kms_key_arn, None);
        assert_eq!((cleared.notifications.error.as_str(), cleared.notifications.warning.as_str()), ("", "c"));
        assert_eq!(cleared.content_config.permissions, Some(Vec::new()));
        assert_eq!(cleared.content_config.storage_class.as_deref(), Some("Standard"));
    }

    #[test]
    fn what_is_given_is_taken() {
        let changed = updated(
            r#"{"Name":"n","InputBucket":"i","Role":"r","ContentConfig":{"Bucket":"c"},"ThumbnailConfig":{"Bucket":"t"}}"#,
        );
        assert_eq!((changed.name.as_str(), changed.input_bucket.as_str(), changed.role.as_str()), ("n", "i", "r"));
        assert_eq!(
            (changed.output_bucket.as_deref(), changed.thumbnail_config.bucket.as_deref()),
            (Some("c"), Some("t"))
        );
    }
}
