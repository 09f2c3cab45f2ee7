//! Tags of queues.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{
    Sqs,
    error::{Error, kind},
    queues::Nothing,
};
use crate::store::Transaction;

/// The most tags of one queue, and the longest key and value in characters (SQS developer guide,
/// "Amazon SQS cost allocation tags"; AWS tagging guide, "Tag naming limits and requirements").
const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

type Tags = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagQueue {
    queue_url: Option<String>,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagQueue {
    queue_url: Option<String>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueueTags {
    queue_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueTags {
    #[serde(skip_serializing_if = "Tags::is_empty")]
    tags: Tags,
}

impl Sqs {
    pub(super) async fn tag_queue(&self, request: TagQueue) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        if request.tags.is_empty() {
            return Err(Error::missing("Tags"));
        }
        check(&request.tags)?;
        let add = move |tags: &mut Tags| tags.extend(request.tags);
        self.change_tags(name, add).await
    }

    pub(super) async fn untag_queue(&self, request: UntagQueue) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        if request.tag_keys.is_empty() {
            return Err(Error::missing("TagKeys"));
        }
        let remove = move |tags: &mut Tags| tags.retain(|key, _| !request.tag_keys.contains(key));
        self.change_tags(name, remove).await
    }

    pub(super) async fn list_queue_tags(&self, request: ListQueueTags) -> Result<QueueTags, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let tags = self.context.store.read(move |connection| read(connection, &name)).await?;
        Ok(QueueTags { tags })
    }

    async fn change_tags(
        &self,
        name: String,
        change: impl FnOnce(&mut Tags) + Send + 'static,
    ) -> Result<Nothing, Error> {
        let write = move |tx: &mut Transaction<'_>| {
            let mut tags = read(tx, &name)?;
            change(&mut tags);
            check_count(&tags)?;
            let tags = serde_json::to_string(&tags).map_err(|error| Error::Internal(error.to_string()))?;
            tx.execute("UPDATE sqs_queues SET tags = ?2 WHERE name = ?1", params![name, tags])?;
            Ok(Nothing {})
        };
        self.context.store.write(write).await
    }
}

/// What a queue may be tagged with.
pub(super) fn check(tags: &Tags) -> Result<(), Error> {
    check_count(tags)?;
    for (key, value) in tags {
        if !(1..=LONGEST_KEY).contains(&key.chars().count()) || value.chars().count() > LONGEST_VALUE {
            return Err(wrong("Tag keys must be between 1 and 128 characters in length, tag values at most 256."));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(wrong("Tag keys that begin with aws: are reserved."));
        }
        if !(key.chars().all(is_allowed) && value.chars().all(is_allowed)) {
            return Err(wrong("Tags can only contain letters, digits, white space and any of _ . : / = + - @."));
        }
    }
    Ok(())
}

fn check_count(tags: &Tags) -> Result<(), Error> {
    if tags.len() <= MOST {
        return Ok(());
    }
    Err(wrong("Too many tags: a queue can have 50."))
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

fn wrong(message: &str) -> Error {
    Error::client(kind::INVALID_PARAMETER, message)
}

fn read(connection: &Connection, name: &str) -> Result<Tags, Error> {
    let mut statement = connection.prepare_cached("SELECT tags FROM sqs_queues WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    let text = text.ok_or_else(Error::no_such_queue)?;
    serde_json::from_str(&text).map_err(|error| Error::Internal(error.to_string()))
}
