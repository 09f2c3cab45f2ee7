//! The policy that a topic has when it was given none.

use serde_json::json;

/// Only its owner may use it (SNS developer guide, "Overview of managing access in Amazon SNS").
pub(super) fn default(topic_arn: &str, account: &str) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    let statement = json!({
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": { "AWS": "*" },
        "Action": actions,
        "Resource": topic_arn,
        "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
    });
    json!({ "Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Access, allows, is_readable};

    #[test]
    fn the_default_is_for_the_owner_alone() {
        let access = Access {
            service: "s3.amazonaws.com",
            source_arn: "arn:aws:s3:::bucket",
            source_account: "000000000000",
            action: "sns:publish",
            resource: "arn:aws:sns:us-east-1:000000000000:topic",
        };
        let policy = default(access.resource, access.source_account);
        assert!(is_readable(&policy));
        assert!(!allows(Some(&policy), &access) && !allows(None, &access));
    }
}
