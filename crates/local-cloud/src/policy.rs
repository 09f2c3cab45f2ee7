//! Whether the policy of a queue or topic lets another service send to it (IAM user guide, "Policy
//! evaluation logic", for the elements that such policies use).

use serde_json::Value;

/// Who wants to send what where.
pub(crate) struct Access<'a> {
    pub(crate) service: &'a str,
    pub(crate) source_arn: &'a str,
    pub(crate) source_account: &'a str,
    /// In small letters, for instance `sqs:sendmessage`.
    pub(crate) action: &'a str,
    /// The queue or topic.
    pub(crate) resource: &'a str,
}

/// Whether text is a policy document at all.
pub(crate) fn is_readable(policy: &str) -> bool {
    serde_json::from_str::<Value>(policy).is_ok_and(|policy| !statements(&policy).is_empty())
}

/// One statement must allow it and none deny it. Without a policy no other service may send.
pub(crate) fn allows(policy: Option<&str>, access: &Access<'_>) -> bool {
    let Some(policy) = policy.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return false };
    let mut is_allowed = false;
    for statement in statements(&policy) {
        match statement["Effect"].as_str() {
            // What cannot be understood must not open a door, nor fail to close it.
            Some("Deny") if covers(statement, access) && condition(statement, access).unwrap_or(true) => return false,
            Some("Allow") if covers(statement, access) && condition(statement, access).unwrap_or(false) => {
                is_allowed = true;
            }
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
    let action = |pattern: &str| matches(&pattern.to_ascii_lowercase(), access.action);
    let resource = |pattern: &str| matches(pattern, access.resource);
    element(statement, "Principal", |value| principal(value, access.service))
        && element(statement, "Action", |value| any(value, action))
        && element(statement, "Resource", |value| any(value, resource))
}

/// An element, or its opposite: `NotAction` covers all that it does not list.
fn element(statement: &Value, name: &str, holds: impl Fn(&Value) -> bool) -> bool {
    match statement.get(format!("Not{name}")) {
        Some(value) => !holds(value),
        None => holds(&statement[name]),
    }
}

fn principal(principal: &Value, service: &str) -> bool {
    principal == "*"
        || any(&principal["AWS"], |name| name == "*")
        || any(&principal["Service"], |name| name == "*" || name == service)
}

/// `None` when it holds an operator or key that is not known here.
fn condition(statement: &Value, access: &Access<'_>) -> Option<bool> {
    let Some(condition) = statement.get("Condition") else { return Some(true) };
    let mut holds = true;
    for (operator, keys) in condition.as_object()? {
        // The key is always there, or known to be absent, so the suffix changes nothing that matters.
        let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
        for (key, wanted) in keys.as_object()? {
            let actual = actual(key, access)?;
            holds &= match operator {
                // Two names for one thing with ARNs (IAM user guide, "Condition operators").
                "ArnEquals" | "ArnLike" | "StringLike" => any(wanted, |value| matches(value, actual)),
                "ArnNotEquals" | "ArnNotLike" | "StringNotLike" => !any(wanted, |value| matches(value, actual)),
                "StringEquals" | "Bool" => any(wanted, |value| value == actual),
                "StringNotEquals" => !any(wanted, |value| value == actual),
                _ => return None,
            };
        }
    }
    Some(holds)
}

fn actual<'a>(key: &str, access: &Access<'a>) -> Option<&'a str> {
    match key.to_ascii_lowercase().as_str() {
        "aws:sourcearn" => Some(access.source_arn),
        "aws:sourceaccount" => Some(access.source_account),
        // The owner of a call; a service that calls for a resource has none.
        "aws:sourceowner" => Some(""),
        // Services speak among themselves over TLS.
        "aws:securetransport" => Some("true"),
        _ => None,
    }
}

/// A string, or one of several; a truth value counts as its word.
fn any(value: &Value, test: impl Fn(&str) -> bool) -> bool {
    let one = |value: &Value| match value {
        Value::String(text) => test(text),
        Value::Bool(truth) => test(if *truth { "true" } else { "false" }),
        _ => false,
    };
    match value {
        Value::Array(values) => values.iter().any(one),
        value => one(value),
    }
}

/// `*` for any characters, `?` for one. Goes back to the last `*` only, so the time is bounded by
/// the product of both lengths.
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
    use serde_json::json;

    use super::*;

    const ACCESS: Access<'_> = Access {
        service: "sns.amazonaws.com",
        source_arn: "arn:aws:sns:us-east-1:000000000000:topic",
        source_account: "000000000000",
        action: "sqs:sendmessage",
        resource: "arn:aws:sqs:us-east-1:000000000000:queue",
    };

    fn statement() -> Value {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": ACCESS.resource,
            "Condition": { "ArnEquals": { "aws:SourceArn": ACCESS.source_arn } },
        })
    }

    fn allowed(statements: &[Value]) -> bool {
        allows(Some(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string()), &ACCESS)
    }

    fn with(key: &str, value: Value) -> bool {
        let mut statement = statement();
        statement[key] = value;
        allowed(&[statement])
    }

    #[test]
    fn the_usual_policies_allow() {
        assert!(allowed(&[statement()]));
        assert!(allows(Some(&json!({ "Statement": statement() }).to_string()), &ACCESS));
        assert!(with("Principal", json!("*")));
        assert!(with("Principal", json!({ "AWS": "*" })));
        assert!(with("Principal", json!({ "Service": ["s3.amazonaws.com", "sns.amazonaws.com"] })));
        assert!(with("Action", json!(["sqs:ReceiveMessage", "SQS:*"])));
        assert!(with("Action", json!("*")));
        assert!(with("Resource", json!("arn:aws:sqs:*:*:qu?ue")));
        assert!(with(
            "Condition",
            json!({ "ArnLike": { "aws:SourceArn": ["arn:aws:sns:*:*:other", "arn:aws:sns:*:*:t*c"] } })
        ));
        assert!(with("Condition", json!({ "StringEquals": { "AWS:SourceAccount": "000000000000" } })));
        // As the S3 user guide shows it.
        let both = json!({
            "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:*:topic" },
            "StringEquals": { "aws:SourceAccount": "000000000000" },
        });
        assert!(with("Condition", both));
    }

    #[test]
    fn anything_else_does_not() {
        assert!(!allows(None, &ACCESS));
        assert!(!allows(Some("not json"), &ACCESS));
        assert!(!allowed(&[]));
        assert!(!with("Principal", json!({ "Service": "s3.amazonaws.com" })));
        assert!(!with("Principal", json!({ "AWS": "arn:aws:iam::000000000000:root" })));
        assert!(!with("Action", json!("sqs:ReceiveMessage")));
        assert!(!with("Resource", json!("arn:aws:sqs:us-east-1:000000000000:queue2")));
        assert!(!with(
            "Condition",
            json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:sns:us-east-1:000000000000:other" } })
        ));
        assert!(!with("Condition", json!({ "StringEquals": { "aws:SourceArn": "arn:aws:sns:*" } })));
        assert!(!with("Condition", json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } })));
    }

    #[test]
    fn a_denial_wins() {
        let mut deny = statement();
        deny["Effect"] = json!("Deny");
        assert!(!allowed(&[statement(), deny.clone()]));
        deny["Condition"] = json!({ "Unknown": { "aws:Other": "x" } });
        assert!(!allowed(&[statement(), deny.clone()]));
        deny["Resource"] = json!("arn:aws:sqs:us-east-1:000000000000:other");
        assert!(allowed(&[statement(), deny]));
    }

    #[test]
    fn a_denial_by_what_it_does_not_list_counts() {
        for (name, listed, other) in [
            ("Principal", json!({ "Service": ACCESS.service }), json!({ "Service": "s3.amazonaws.com" })),
            ("Action", json!("sqs:SendMessage"), json!("sqs:ReceiveMessage")),
            ("Resource", json!(ACCESS.resource), json!("arn:aws:sqs:us-east-1:000000000000:other")),
        ] {
            let denial = |value: Value| {
                let mut deny = statement();
                deny["Effect"] = json!("Deny");
                deny.as_object_mut().unwrap().remove(name);
                deny[format!("Not{name}")] = value;
                deny
            };
            assert!(!allowed(&[statement(), denial(other)]), "Not{name}");
            assert!(allowed(&[statement(), denial(listed)]), "Not{name}");
        }
    }

    #[test]
    fn denials_of_others_let_services_through() {
        for condition in [
            json!({ "Bool": { "aws:SecureTransport": "false" } }),
            json!({ "StringNotEquals": { "aws:SourceAccount": "000000000000" } }),
            json!({ "ArnNotLikeIfExists": { "aws:SourceArn": "arn:aws:sns:*:*:topic" } }),
        ] {
            let deny = json!({
                "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": condition,
            });
            assert!(allowed(&[statement(), deny.clone()]), "{deny}");
        }
    }

    #[test]
    fn wildcards_match() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a*b*c", "axbxbxc"), ("?", "x"), ("abc", "abc")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*c", "abb"), ("?", ""), ("abc", "abcd"), ("a*b", "ac")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
