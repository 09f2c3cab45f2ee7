//! CreatePipeline and the operations that change a pipeline.

use super::violations::{Members, check};
use super::{ensure, pattern};
use crate::{
    ApiError, CreatePipelineRequest, Notifications, NotificationsUpdate, Permission, PipelineOutputConfig,
    UpdatePipelineNotificationsRequest, UpdatePipelineRequest, UpdatePipelineStatusRequest,
};

/// The predefined groups of S3 that a grant may name (Developer Guide, "Settings that you specify").
const GROUPS: [&str; 3] = ["AllUsers", "AuthenticatedUsers", "LogDelivery"];

/// Checks the body of CreatePipeline.
pub fn create_pipeline(request: &CreatePipelineRequest) -> Result<(), ApiError> {
    check(|m| {
        m.required("name", &request.name);
        m.length("name", &request.name, 1, 40);
        m.required("inputBucket", &request.input_bucket);
        m.pattern("inputBucket", &request.input_bucket, &pattern::BUCKET_NAME);
        m.pattern("outputBucket", &request.output_bucket, &pattern::BUCKET_NAME);
        m.required("role", &request.role);
        m.length("awsKmsKeyArn", &request.aws_kms_key_arn, 0, 255);
        m.within("notifications", &request.notifications, topics);
        m.within("contentConfig", &request.content_config, output_config);
        m.within("thumbnailConfig", &request.thumbnail_config, output_config);
    })?;
    role(request.role.as_deref().unwrap_or_default())?;
    buckets(request)?;
    grants(request.content_config.as_ref())?;
    grants(request.thumbnail_config.as_ref())
}

/// Checks the body of UpdatePipeline.
pub fn update_pipeline(request: &UpdatePipelineRequest) -> Result<(), ApiError> {
    check(|m| {
        m.length("name", &request.name, 1, 40);
        m.pattern("inputBucket", &request.input_bucket, &pattern::BUCKET_NAME);
        m.length("awsKmsKeyArn", &request.aws_kms_key_arn, 0, 255);
        m.within("notifications", &request.notifications, changed_topics);
        m.within("contentConfig", &request.content_config, output_config);
        m.within("thumbnailConfig", &request.thumbnail_config, output_config);
    })?;
    if let Some(new) = &request.role {
        role(new)?;
    }
    grants(request.content_config.as_ref())?;
    grants(request.thumbnail_config.as_ref())
}

/// Checks the body of UpdatePipelineNotifications.
pub fn update_pipeline_notifications(request: &UpdatePipelineNotificationsRequest) -> Result<(), ApiError> {
    check(|m| {
        m.required("notifications", &request.notifications);
        m.within("notifications", &request.notifications, changed_topics);
    })
}

/// Checks the body of UpdatePipelineStatus.
pub fn update_pipeline_status(request: &UpdatePipelineStatusRequest) -> Result<(), ApiError> {
    check(|m| {
        m.required("status", &request.status);
        m.pattern("status", &request.status, &pattern::PIPELINE_STATUS);
    })
}

fn topics(m: &mut Members<'_>, topics: &Notifications) {
    for (name, topic) in [
        ("progressing", &topics.progressing),
        ("completed", &topics.completed),
        ("warning", &topics.warning),
        ("error", &topics.error),
    ] {
        m.pattern(name, &Some(topic.clone()), &pattern::SNS_TOPIC);
    }
}

fn changed_topics(m: &mut Members<'_>, topics: &NotificationsUpdate) {
    m.pattern("progressing", &topics.progressing, &pattern::SNS_TOPIC);
    m.pattern("completed", &topics.completed, &pattern::SNS_TOPIC);
    m.pattern("warning", &topics.warning, &pattern::SNS_TOPIC);
    m.pattern("error", &topics.error, &pattern::SNS_TOPIC);
}

fn output_config(m: &mut Members<'_>, config: &PipelineOutputConfig) {
    m.pattern("bucket", &config.bucket, &pattern::BUCKET_NAME);
    m.pattern("storageClass", &config.storage_class, &pattern::STORAGE_CLASS);
    m.count("permissions", &config.permissions, 30);
    m.each("permissions", &config.permissions, permission);
}

fn permission(m: &mut Members<'_>, permission: &Permission) {
    m.pattern("granteeType", &permission.grantee_type, &pattern::GRANTEE_TYPE);
    m.length("grantee", &permission.grantee, 1, 255);
    m.count("access", &permission.access, 30);
    m.patterns("access", &permission.access, &pattern::ACCESS);
}

fn grants(config: Option<&PipelineOutputConfig>) -> Result<(), ApiError> {
    for permission in config.and_then(|config| config.permissions.as_ref()).into_iter().flatten() {
        let grantee = permission.grantee.as_deref().unwrap_or_default();
        let known = permission.grantee_type.as_deref() != Some("Group") || GROUPS.contains(&grantee);
        ensure(known, || format!("The Grantee of a Group must be one of {}: {grantee}", GROUPS.join(", ")))?;
    }
    Ok(())
}

/// The texts come from a public mock of the service and are believed to be copied from it.
pub(super) fn role(role: &str) -> Result<(), ApiError> {
    ensure(!role.trim().is_empty(), || "Role cannot be blank".to_owned())?;
    ensure(pattern::ROLE.matches(role), || format!("Role ARN is invalid: {role}"))
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
                permissions: Some(vec![Permission { access: Some(vec!["Write".into()]), ..Permission::default() }]),
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

    #[test]
    fn a_group_is_one_of_those_that_exist() {
        let grant = |grantee: &str| {
            let permission = Permission {
                grantee_type: Some("Group".into()),
                grantee: Some(grantee.into()),
                ..Permission::default()
            };
            let config = PipelineOutputConfig { permissions: Some(vec![permission]), ..with_bucket("a").unwrap() };
            update_pipeline(&UpdatePipelineRequest { content_config: Some(config), ..UpdatePipelineRequest::default() })
        };
        assert_eq!(grant("AllUsers"), Ok(()));
        assert!(grant("Everybody").unwrap_err().message.contains("AuthenticatedUsers"));
    }

    #[test]
    fn a_change_may_leave_everything_out_but_not_empty_what_is_needed() {
        let refused = |json: &str| update_pipeline(&serde_json::from_str(json).unwrap()).map_err(|error| error.message);
        for json in ["{}", r#"{"Name":null,"Role":null}"#, r#"{"AwsKmsKeyArn":"","Notifications":{"Error":""}}"#] {
            assert_eq!(refused(json), Ok(()), "{json}");
        }
        assert!(refused(r#"{"Name":""}"#).unwrap_err().contains("'name' failed"));
        assert!(refused(r#"{"InputBucket":""}"#).unwrap_err().contains("'inputBucket' failed"));
        assert_eq!(refused(r#"{"Role":""}"#), Err("Role cannot be blank".into()));
        let topic = refused(r#"{"Notifications":{"Completed":"x"}}"#).unwrap_err();
        assert!(topic.contains("'notifications.completed' failed"), "{topic}");
    }

    #[test]
    fn the_single_changes_need_their_member() {
        let none = update_pipeline_notifications(&UpdatePipelineNotificationsRequest::default()).unwrap_err();
        assert!(none.message.contains("Value null at 'notifications'"), "{none}");
        let none = update_pipeline_status(&UpdatePipelineStatusRequest::default()).unwrap_err();
        assert!(none.message.contains("Value null at 'status'"), "{none}");
        let odd = update_pipeline_status(&UpdatePipelineStatusRequest { status: Some("active".into()) }).unwrap_err();
        assert!(odd.message.ends_with("pattern: (^Active$)|(^Paused$)"), "{odd}");
    }
}
