//! Making, finding, changing and removing queues.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{
    Sqs,
    attributes::{Changes, Settings},
    dead_letters, deduplication, delay,
    error::{Error, kind},
    moves, now_ms, purge, queue, tags,
};
use crate::{Context, store::Transaction};

/// The longest page of queues (SQS API, ListQueues and ListDeadLetterSourceQueues).
pub(super) const LONGEST_PAGE: i64 = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags", alias = "Tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    queue_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: BTreeSet<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueAttributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetQueueAttributes {
    queue_url: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedQueue {
    pub(super) queue_url: Option<String>,
}

/// Attributes that can be asked for and need not be there.
const OPTIONAL: [&str; 4] = ["All", "Policy", "RedrivePolicy", "RedriveAllowPolicy"];

/// An answer without content.
#[derive(Serialize)]
pub(super) struct Nothing {}

impl Sqs {
    pub(super) async fn create_queue(&self, request: CreateQueue) -> Result<QueueUrl, Error> {
        let name = request.queue_name.ok_or_else(|| Error::missing("QueueName"))?;
        let changes = Changes::parse(&request.attributes)?;
        queue::check_name(&name, changes.make_fifo())?;
        tags::check(&request.tags)?;
        let tags = serde_json::to_string(&request.tags).map_err(|error| Error::Internal(error.to_string()))?;
        let queue_url = self.context.queue_url(&name);
        let context = self.context.clone();
        let create = move |tx: &mut Transaction<'_>| create(tx, &context, &name, &changes, &tags);
        self.context.store.write(create).await?;
        Ok(QueueUrl { queue_url })
    }

    pub(super) async fn get_queue_url(&self, request: GetQueueUrl) -> Result<QueueUrl, Error> {
        let name = request.queue_name.ok_or_else(|| Error::missing("QueueName"))?;
        if request.owner.is_some_and(|account| account != self.context.account) {
            return Err(Error::no_such_queue());
        }
        let queue_url = self.context.queue_url(&name);
        self.context.store.read(move |connection| queue::get(connection, &name)).await?;
        Ok(QueueUrl { queue_url })
    }

    pub(super) async fn list_queues(&self, request: ListQueues) -> Result<QueueList, Error> {
        let limit = page_size(request.max_results, LONGEST_PAGE)?;
        let after = request.next_token.unwrap_or_default();
        let prefix = request.queue_name_prefix.unwrap_or_default();
        let mut names =
            self.context.store.read(move |connection| names(connection, &prefix, &after, limit + 1)).await?;
        let has_more = names.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if has_more {
            names.pop();
        }
        // As documented, a token comes only when a page size was asked for.
        let next_token = names.last().filter(|_| has_more && request.max_results.is_some()).cloned();
        Ok(QueueList { queue_urls: names.iter().map(|name| self.context.queue_url(name)).collect(), next_token })
    }

    pub(super) async fn get_queue_attributes(&self, request: GetQueueAttributes) -> Result<QueueAttributes, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let arn = self.context.queue_arn(&name);
        let mut all = self.context.store.read(move |connection| attributes(connection, &name)).await?;
        all.insert("QueueArn", arn);
        let is_known = |name: &str| all.contains_key(name) || OPTIONAL.contains(&name);
        if let Some(unknown) = request.attribute_names.iter().find(|name| !is_known(name)) {
            return Err(Error::client(kind::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {unknown}.")));
        }
        if !request.attribute_names.contains("All") {
            all.retain(|name, _| request.attribute_names.contains(*name));
        }
        Ok(QueueAttributes { attributes: all })
    }

    pub(super) async fn set_queue_attributes(&self, request: SetQueueAttributes) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let changes = Changes::parse(&request.attributes)?;
        let (context, waiting) = (self.context.clone(), self.waiting.clone());
        let set = async move {
            let (of, queue) = (context.clone(), name.clone());
            let sets_delay = changes.sets_delay();
            let is_fifo = context.store.write(move |tx| set(tx, &of, &queue, &changes)).await?;
            if is_fifo && sets_delay { delay::spread(&context, &waiting, &name).await } else { Ok(()) }
        };
        // A task, which goes on when the client hangs up.
        tokio::spawn(set).await.map_err(|error| Error::Internal(error.to_string()))??;
        Ok(Nothing {})
    }

    pub(super) async fn delete_queue(&self, request: NamedQueue) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let (waiting, in_flight) = (self.waiting.clone(), self.in_flight.clone());
        let delete = move |tx: &mut Transaction<'_>| {
            let queue = queue::get(tx, &name)?;
            purge::empty(tx, queue.id)?;
            deduplication::forget(tx, queue.id)?;
            moves::forget(tx, &name)?;
            tx.execute("DELETE FROM sqs_queues WHERE id = ?1", [queue.id])?;
            tx.after_commit(move || {
                waiting.changed(&name);
                in_flight.forget(queue.id);
            });
            Ok::<_, Error>(())
        };
        self.context.store.write(delete).await?;
        Ok(Nothing {})
    }
}

/// The page size that was asked for, or the largest.
pub(super) fn page_size(asked: Option<i64>, largest: i64) -> Result<i64, Error> {
    match asked {
        None => Ok(largest),
        Some(size) if (1..=largest).contains(&size) => Ok(size),
        Some(size) => {
            let reason = format!("Must be between 1 and {largest}, if provided.");
            Err(Error::parameter("MaxResults", size, &reason))
        }
    }
}

/// A queue that is there already is fine when it has all the attributes that were given.
fn create(tx: &Transaction<'_>, context: &Context, name: &str, changes: &Changes, tags: &str) -> Result<(), Error> {
    let settings = Settings::new(changes)?;
    if let Some(existing) = queue::find(tx, name)? {
        let is_same_policy = match &changes.policy {
            Some(given) => *given == policy(tx, name)?,
            None => true,
        };
        if is_same_policy && existing.settings.clone().with(changes)? == existing.settings {
            return Ok(());
        }
        let message = "A queue already exists with the same name and a different value for one of its attributes.";
        return Err(Error::client(kind::QUEUE_NAME_EXISTS, message));
    }
    dead_letters::check(tx, context, name, &settings)?;
    tx.execute(
        "INSERT INTO sqs_queues (name, settings, policy, tags, created_ms, modified_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![name, to_json(&settings)?, changes.policy.clone().flatten(), tags, now_ms()],
    )?;
    Ok(())
}

/// Says whether it is a FIFO queue.
fn set(tx: &Transaction<'_>, context: &Context, name: &str, changes: &Changes) -> Result<bool, Error> {
    let queue = queue::get(tx, name)?;
    let is_fifo = queue.is_fifo();
    let settings = queue.settings.with(changes)?;
    if changes.redrive.is_some() {
        dead_letters::check(tx, context, name, &settings)?;
    }
    tx.execute(
        "UPDATE sqs_queues SET settings = ?2, modified_ms = ?3 WHERE id = ?1",
        params![queue.id, to_json(&settings)?, now_ms()],
    )?;
    if let Some(policy) = &changes.policy {
        tx.execute("UPDATE sqs_queues SET policy = ?2 WHERE id = ?1", params![queue.id, policy])?;
    }
    Ok(is_fifo)
}

fn to_json(settings: &Settings) -> Result<String, Error> {
    serde_json::to_string(settings).map_err(|error| Error::Internal(error.to_string()))
}

pub(super) fn policy(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT policy FROM sqs_queues WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.flatten())
}

fn names(connection: &Connection, prefix: &str, after: &str, limit: i64) -> Result<Vec<String>, Error> {
    // Names are ASCII, so comparing the front of the text is comparing bytes.
    let mut statement = connection.prepare_cached(
        "SELECT name FROM sqs_queues WHERE name > ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name LIMIT ?3",
    )?;
    let names = statement.query_map(params![after, prefix, limit], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// All attributes but the ARN.
fn attributes(connection: &Connection, name: &str) -> Result<BTreeMap<&'static str, String>, Error> {
    let queue = queue::get(connection, name)?;
    let mut all: BTreeMap<_, _> = queue.settings.shown().into_iter().collect();
    if let Some(policy) = policy(connection, name)? {
        all.insert("Policy", policy);
    }
    let (created, modified): (i64, i64) = connection.query_row(
        "SELECT created_ms / 1000, modified_ms / 1000 FROM sqs_queues WHERE id = ?1",
        [queue.id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    all.insert("CreatedTimestamp", created.to_string());
    all.insert("LastModifiedTimestamp", modified.to_string());
    let now = now_ms();
    // Expired messages may not be swept yet.
    let expired = queue.expired_ms(now);
    let visible: i64 = connection
        .prepare_cached("SELECT count(*) FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2 AND sent_ms > ?3")?
        .query_row([queue.id, now, expired], |row| row.get(0))?;
    let (in_flight, delayed): (i64, i64) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE receives > 0), count(*) FILTER (WHERE receives = 0)
             FROM sqs_messages WHERE queue = ?1 AND visible_ms > ?2 AND sent_ms > ?3",
        )?
        .query_row([queue.id, now, expired], |row| Ok((row.get(0)?, row.get(1)?)))?;
    all.insert("ApproximateNumberOfMessages", visible.to_string());
    all.insert("ApproximateNumberOfMessagesNotVisible", in_flight.to_string());
    all.insert("ApproximateNumberOfMessagesDelayed", delayed.to_string());
    Ok(all)
}
