//! `AddPermission` and `RemovePermission`: statements of a queue's policy by their labels. All keys
//! here belong to one account, so a permission for another one is kept and shown and opens nothing.

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Sqs,
    error::{Error, kind},
    now_ms,
    queue::{self, Queue},
    queues::{self, Nothing},
};
use crate::store::Transaction;

/// The longest label (SQS API, AddPermission).
const LONGEST_LABEL: usize = 80;
/// The most actions of one statement (SQS developer guide, "Amazon SQS policy quotas").
const MOST_ACTIONS: usize = 7;
/// What can be shared; the rest is for the owner of a queue (SQS developer guide, "Overview of
/// managing access").
const ACTIONS: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddPermission {
    queue_url: Option<String>,
    label: Option<String>,
    #[serde(default, rename = "AWSAccountIds")]
    accounts: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermission {
    queue_url: Option<String>,
    label: Option<String>,
}

impl Sqs {
    pub(super) async fn add_permission(&self, request: AddPermission) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let arn = self.context.queue_arn(&name);
        let label = check_label(request.label)?;
        let statement = statement(&label, &request.accounts, &request.actions, &arn)?;
        let add = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            let (mut policy, mut statements) = read(tx, &queue, &arn)?;
            if statements.iter().any(|statement| statement["Sid"] == *label) {
                return Err(Error::parameter("Label", label, "Already exists."));
            }
            statements.push(statement);
            policy["Statement"] = statements.into();
            write(tx, &queue, Some(&policy))
        };
        self.context.store.write(add).await
    }

    pub(super) async fn remove_permission(&self, request: RemovePermission) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let arn = self.context.queue_arn(&name);
        let label = check_label(request.label)?;
        let remove = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            let (mut policy, mut statements) = read(tx, &queue, &arn)?;
            let before = statements.len();
            statements.retain(|statement| statement["Sid"] != *label);
            if statements.len() == before {
                return Err(Error::parameter("Label", label, "can't find label."));
            }
            let is_empty = statements.is_empty();
            policy["Statement"] = statements.into();
            write(tx, &queue, (!is_empty).then_some(&policy))
        };
        self.context.store.write(remove).await
    }
}

fn check_label(label: Option<String>) -> Result<String, Error> {
    let label = label.ok_or_else(|| Error::missing("Label"))?;
    let is_good = (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_good {
        return Ok(label);
    }
    let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    Err(Error::parameter("Label", label, reason))
}

fn statement(label: &str, accounts: &[String], actions: &[String], arn: &str) -> Result<Value, Error> {
    if accounts.is_empty() {
        return Err(Error::missing("AWSAccountIds"));
    }
    if actions.is_empty() {
        return Err(Error::missing("Actions"));
    }
    if actions.len() > MOST_ACTIONS {
        let message = format!("{} Actions were found, maximum allowed is {MOST_ACTIONS}.", actions.len());
        return Err(Error::client(kind::OVER_LIMIT, message));
    }
    if let Some(bad) = accounts.iter().find(|id| id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Error::parameter("PrincipalId", bad, "Unable to verify."));
    }
    if let Some(bad) = actions.iter().find(|action| !ACTIONS.contains(&action.as_str())) {
        let reason = "Only the queue owner is allowed to invoke this action.";
        return Err(Error::parameter("ActionName", format!("SQS:{bad}"), reason));
    }
    let principals = accounts.iter().map(|id| format!("arn:aws:iam::{id}:root")).collect();
    let actions = actions.iter().map(|action| format!("SQS:{action}")).collect();
    Ok(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_all(principals) },
        "Action": one_or_all(actions),
        "Resource": arn,
    }))
}

/// A list of one is written without the list.
fn one_or_all(mut values: Vec<String>) -> Value {
    match values.len() {
        1 => values.remove(0).into(),
        _ => values.into(),
    }
}

/// The policy of a queue, or a new one, and its statements.
fn read(connection: &Connection, queue: &Queue, arn: &str) -> Result<(Value, Vec<Value>), Error> {
    let policy = queues::policy(connection, &queue.name)?.and_then(|text| serde_json::from_str(&text).ok());
    let mut policy: Value =
        policy.unwrap_or_else(|| json!({ "Version": "2008-10-17", "Id": format!("{arn}/SQSDefaultPolicy") }));
    let statements = match policy.get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => Vec::new(),
    };
    Ok((policy, statements))
}

fn write(connection: &Connection, queue: &Queue, policy: Option<&Value>) -> Result<Nothing, Error> {
    connection.execute(
        "UPDATE sqs_queues SET policy = ?2, modified_ms = ?3 WHERE id = ?1",
        params![queue.id, policy.map(Value::to_string), now_ms()],
    )?;
    Ok(Nothing {})
}
