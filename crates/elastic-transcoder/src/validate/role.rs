//! TestRole.

use super::violations::check;
use super::{pattern, pipeline};
use crate::{ApiError, TestRoleRequest};

/// Checks the body of TestRole.
pub fn test_role(request: &TestRoleRequest) -> Result<(), ApiError> {
    check(|m| {
        m.required("role", &request.role);
        m.required("inputBucket", &request.input_bucket);
        m.pattern("inputBucket", &request.input_bucket, &pattern::BUCKET_NAME);
        m.required("outputBucket", &request.output_bucket);
        m.pattern("outputBucket", &request.output_bucket, &pattern::BUCKET_NAME);
        m.required("topics", &request.topics);
        m.count("topics", &request.topics, 30);
        m.patterns("topics", &request.topics, &pattern::SNS_TOPIC);
    })?;
    pipeline::role(request.role.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Result<(), String> {
        test_role(&serde_json::from_str(json).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn all_four_members_are_needed() {
        assert!(refused("{}").unwrap_err().starts_with("4 validation errors detected: Value null at 'role'"));
        let good = r#"{"Role":"arn:aws:iam::111122223333:role/t","InputBucket":"a","OutputBucket":"b","Topics":[]}"#;
        assert_eq!(refused(good), Ok(()));
        assert_eq!(
            refused(&good.replace("arn:aws:iam", "arn:aws:sts")).unwrap_err(),
            "Role ARN is invalid: arn:aws:sts::111122223333:role/t"
        );
        assert!(refused(&good.replace("[]", r#"["x"]"#)).unwrap_err().contains("'topics.1.member' failed"));
    }
}
