//! Whether a topic's policy lets another service publish to it (IAM user guide, "Policy evaluation logic",
//! for the elements that topic policies use).

use serde_json::{Value, json};

/// Which service wants to publish for whom.
pub(super) struct Access<'a> {
    pub(super) service: &'a str,
    pub(super) source_arn: &'a str,
    pub(super) source_account: &'a str,
    pub(super) topic_arn: &'a str,
}

/// The policy of a topic that was given none: only its owner may use it (SNS developer guide, "Overview of
/// managing access in Amazon SNS").
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

/// Whether text is a policy document at all.
pub(super) fn is_readable(policy: &str) -> bool {
    serde_json::from_str::<Value>(policy).is_ok_and(|policy| !statements(&policy).is_empty())
}

/// One statement must allow it and none deny it. Without a policy no other service may publish.
pub(super) fn allows(policy: Option<&str>, access: &Access<'_>) -> bool {
    let Some(policy) = policy.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return false };
    let mut is_allowed = false;
    for statement in statements(&policy) {
        if !covers(statement, access) {
            continue;
        }
        match (statement["Effect"].as_str(), condition(statement, access)) {
            // What cannot be understood must not open a topic, nor fail to close it.
            (Some("Deny"), Some(true) | None) => return false,
            (Some("Allow"), Some(true)) => is_allowed = true,
            _ => {}
        }
    }
    is_allowed
}

fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        statement @ Value::Object(_) => vec![statement],
        _ => Vec::new(),
    }
}

fn covers(statement: &Value, access: &Access<'_>) -> bool {
    let principal = &statement["Principal"];
    let is_named = principal == "*"
        || any(&principal["AWS"], |name| name == "*")
        || any(&principal["Service"], |name| name == "*" || name == access.service);
    is_named
        && any(&statement["Action"], |pattern| matches(&pattern.to_ascii_lowercase(), "sns:publish"))
        && any(&statement["Resource"], |pattern| matches(pattern, access.topic_arn))
}

/// `None` when it holds an operator or key that is not known here.
fn condition(statement: &Value, access: &Access<'_>) -> Option<bool> {
    let Some(condition) = statement.get("Condition") else { return Some(true) };
    let mut holds = true;
    for (operator, keys) in condition.as_object()? {
        let with_wildcards = match operator.as_str() {
            // The two are the same for ARNs (IAM user guide, "Condition operators").
            "ArnEquals" | "ArnLike" | "StringLike" => true,
            "StringEquals" => false,
            _ => return None,
        };
        for (key, wanted) in keys.as_object()? {
            let actual = match key.to_ascii_lowercase().as_str() {
                "aws:sourcearn" => access.source_arn,
                "aws:sourceaccount" => access.source_account,
                // The owner of a call; a service that calls for a resource has none.
                "aws:sourceowner" => "",
                _ => return None,
            };
            holds &= any(wanted, |value| if with_wildcards { matches(value, actual) } else { value == actual });
        }
    }
    Some(holds)
}

/// A string, or one of several.
fn any(value: &Value, mut test: impl FnMut(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(values) => values.iter().filter_map(Value::as_str).any(test),
        _ => false,
    }
}

/// `*` for any characters, `?` for one. Goes back to the last `*` only, so the time is bounded by the
/// product of both lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: Access<'_> = Access {
        service: "s3.amazonaws.com",
        source_arn: "arn:aws:s3:::bucket",
        source_account: "000000000000",
        topic_arn: "arn:aws:sns:us-east-1:000000000000:topic",
    };

    /// The policy that the S3 user guide shows, with one member changed.
    fn with(key: &str, value: Value) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "Service": "s3.amazonaws.com" },
            "Action": ["SNS:Publish"],
            "Resource": ACCESS.topic_arn,
            "Condition": {
                "ArnLike": { "aws:SourceArn": "arn:aws:s3:*:*:bucket" },
                "StringEquals": { "aws:SourceAccount": "000000000000" },
            },
        });
        statement[key] = value;
        statement
    }

    fn allowed(statements: &[Value]) -> bool {
        allows(Some(&json!({ "Statement": statements }).to_string()), &ACCESS)
    }

    #[test]
    fn only_what_is_allowed_is() {
        assert!(allowed(&[with("Sid", json!("x"))]));
        assert!(allowed(&[with("Principal", json!("*"))]));
        assert!(allowed(&[with("Action", json!("sns:*"))]));
        for (key, value) in [
            ("Principal", json!({ "Service": "sqs.amazonaws.com" })),
            ("Action", json!("SNS:Subscribe")),
            ("Resource", json!("arn:aws:sns:us-east-1:000000000000:other")),
            ("Condition", json!({ "ArnLike": { "aws:SourceArn": "arn:aws:s3:*:*:other" } })),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
            ("Effect", json!("Deny")),
        ] {
            assert!(!allowed(&[with(key, value.clone())]), "{key} {value}");
        }
        assert!(!allowed(&[with("Sid", json!("x")), with("Effect", json!("Deny"))]), "a denial wins");
    }

    #[test]
    fn the_default_is_for_the_owner_alone() {
        let policy = default(ACCESS.topic_arn, ACCESS.source_account);
        assert!(is_readable(&policy));
        assert!(!allows(Some(&policy), &ACCESS) && !allows(None, &ACCESS));
    }
}
