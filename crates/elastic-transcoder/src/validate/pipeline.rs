//! CreatePipeline.

use super::pattern;
use super::violations::Violations;
use crate::{ApiError, CreatePipelineRequest, PipelineOutputConfig};

/// Checks the body of CreatePipeline.
pub fn create_pipeline(request: &CreatePipelineRequest) -> Result<(), ApiError> {
    members(request)?;
    role(request.role.as_deref().unwrap_or_default())?;
    buckets(request)
}

fn members(request: &CreatePipelineRequest) -> Result<(), ApiError> {
    let mut v = Violations::default();
    v.required("name", request.name.as_ref());
    v.length("name", request.name.as_deref(), 1, 40);
    v.required("inputBucket", request.input_bucket.as_ref());
    v.pattern("inputBucket", request.input_bucket.as_deref(), &pattern::BUCKET_NAME);
    v.pattern("outputBucket", request.output_bucket.as_deref(), &pattern::BUCKET_NAME);
    v.required("role", request.role.as_ref());
    v.length("awsKmsKeyArn", request.aws_kms_key_arn.as_deref(), 0, 255);
    if let Some(topics) = &request.notifications {
        for (path, topic) in [
            ("notifications.progressing", &topics.progressing),
            ("notifications.completed", &topics.completed),
            ("notifications.warning", &topics.warning),
            ("notifications.error", &topics.error),
        ] {
            v.pattern(path, Some(topic), &pattern::SNS_TOPIC);
        }
    }
    output_config(&mut v, "contentConfig", request.content_config.as_ref());
    output_config(&mut v, "thumbnailConfig", request.thumbnail_config.as_ref());
    v.into_result()
}

fn output_config(v: &mut Violations, path: &str, config: Option<&PipelineOutputConfig>) {
    let Some(config) = config else { return };
    v.pattern(&format!("{path}.bucket"), config.bucket.as_deref(), &pattern::BUCKET_NAME);
    v.pattern(&format!("{path}.storageClass"), config.storage_class.as_deref(), &pattern::STORAGE_CLASS);
    v.count(&format!("{path}.permissions"), config.permissions.as_ref(), 30);
    for (index, permission) in config.permissions.iter().flatten().enumerate() {
        let path = format!("{path}.permissions.{}.member", index + 1);
        v.pattern(&format!("{path}.granteeType"), permission.grantee_type.as_deref(), &pattern::GRANTEE_TYPE);
        v.length(&format!("{path}.grantee"), permission.grantee.as_deref(), 1, 255);
        v.count(&format!("{path}.access"), permission.access.as_ref(), 30);
        for (index, access) in permission.access.iter().flatten().enumerate() {
            v.pattern(&format!("{path}.access.{}.member", index + 1), Some(access), &pattern::ACCESS);
        }
    }
}

fn role(role: &str) -> Result<(), ApiError> {
    if role.trim().is_empty() {
        return Err(ApiError::validation("Role cannot be blank"));
    }
    if !pattern::ROLE.matches(role) {
        return Err(ApiError::validation(format!("Role ARN is invalid: {role}")));
    }
    Ok(())
}

fn buckets(request: &CreatePipelineRequest) -> Result<(), ApiError> {
    let content = request.content_config.as_ref();
    let refused = if request.output_bucket.is_some() && content.is_some() {
        "[OutputBucket and ContentConfig are mutually exclusive.]"
    } else if request.output_bucket.is_some() && request.thumbnail_config.is_some() {
        "[OutputBucket and ThumbnailConfig are mutually exclusive.]"
    } else if request.output_bucket.is_none() && bucket(content).is_none() {
        "[OutputBucket and ContentConfig:Bucket are not allowed to both be null.]"
    } else if content.is_some() && bucket(request.thumbnail_config.as_ref()).is_none() {
        "[ThumbnailConfig:Bucket is not allowed to be null if ContentConfig is specified.]"
    } else {
        return Ok(());
    };
    Err(ApiError::validation(refused))
}

fn bucket(config: Option<&PipelineOutputConfig>) -> Option<&str> {
    config.and_then(|config| config.bucket.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> CreatePipelineRequest {
        CreatePipelineRequest {
            name: Some("p".into()),
            input_bucket: Some("in".into()),
            output_bucket: Some("out".into()),
            role: Some("arn:aws:iam::111122223333:role/t".into()),
            ..CreatePipelineRequest::default()
        }
    }

    fn refused(change: impl FnOnce(&mut CreatePipelineRequest)) -> String {
        let mut request = good();
        change(&mut request);
        create_pipeline(&request).unwrap_err().message
    }

    fn with_bucket(name: &str) -> Option<PipelineOutputConfig> {
        Some(PipelineOutputConfig { bucket: Some(name.into()), ..PipelineOutputConfig::default() })
    }

    #[test]
    fn a_plain_request_passes_and_so_do_two_configs() {
        assert_eq!(create_pipeline(&good()), Ok(()));
        let mut request = good();
        request.output_bucket = None;
        request.content_config = with_bucket("a");
        request.thumbnail_config = with_bucket("b");
        assert_eq!(create_pipeline(&request), Ok(()));
    }

    #[test]
    fn what_is_missing_is_null() {
        assert_eq!(
            refused(|r| r.input_bucket = None),
            "1 validation error detected: Value null at 'inputBucket' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn lengths_and_patterns_are_checked() {
        let long = refused(|r| r.name = Some("n".repeat(41)));
        assert!(
            long.ends_with("at 'name' failed to satisfy constraint: Member must have length less than or equal to 40")
        );
        let topic = refused(|r| r.notifications.get_or_insert_default().error = "topic".into());
        assert!(topic.contains("at 'notifications.error'"), "{topic}");
        let access = refused(|r| {
            r.content_config = Some(PipelineOutputConfig {
                permissions: Some(vec![crate::Permission {
                    access: Some(vec!["Write".into()]),
                    ..crate::Permission::default()
                }]),
                ..PipelineOutputConfig::default()
            });
        });
        assert!(access.contains("at 'contentConfig.permissions.1.member.access.1.member'"), "{access}");
    }

    #[test]
    fn buckets_contradict_in_the_known_words() {
        assert_eq!(
            refused(|r| r.output_bucket = None),
            "[OutputBucket and ContentConfig:Bucket are not allowed to both be null.]"
        );
        assert_eq!(
            refused(|r| r.content_config = with_bucket("a")),
            "[OutputBucket and ContentConfig are mutually exclusive.]"
        );
        assert_eq!(
            refused(|r| {
                r.output_bucket = None;
                r.content_config = with_bucket("a");
            }),
            "[ThumbnailConfig:Bucket is not allowed to be null if ContentConfig is specified.]"
        );
    }

    #[test]
    fn roles_are_judged_apart() {
        assert_eq!(refused(|r| r.role = Some(" ".into())), "Role cannot be blank");
        assert_eq!(refused(|r| r.role = Some("x".into())), "Role ARN is invalid: x");
    }
}
