//! Moving messages that were received too often, and the queues that do so.

use std::sync::Arc;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{
    Sqs,
    attributes::Settings,
    error::Error,
    groups,
    queue::{self, Queue},
    queues::{LONGEST_PAGE, page_size},
    take::Stored,
    waiting::{self, Waiting},
};
use crate::{Context, store::Transaction};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSources {
    queue_url: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sources {
    /// The one list of the API whose name begins small.
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Sqs {
    pub(super) async fn list_dead_letter_sources(&self, request: ListSources) -> Result<Sources, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        let limit = page_size(request.max_results, LONGEST_PAGE)?;
        let after = request.next_token.unwrap_or_default();
        let arn = self.context.queue_arn(&name);
        let list = move |connection: &Connection| {
            queue::get(connection, &name)?;
            sources(connection, &arn, &after, limit + 1)
        };
        let mut names = self.context.store.read(list).await?;
        let has_more = names.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if has_more {
            names.pop();
        }
        let next_token = names.last().filter(|_| has_more && request.max_results.is_some()).cloned();
        Ok(Sources { queue_urls: names.iter().map(|name| self.context.queue_url(name)).collect(), next_token })
    }
}

/// The names of the queues whose dead letters go to a queue.
pub(super) fn sources(
    connection: &Connection,
    target_arn: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM sqs_queues
         WHERE json_extract(settings, '$.redrive.deadLetterTargetArn') = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
    )?;
    let names = statement.query_map(params![target_arn, after, limit], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The dead-letter queue must be there, be of the same kind, allow it, and be another one: a queue
/// that moves to itself never ends.
pub(super) fn check(
    connection: &Connection,
    context: &Context,
    own_name: &str,
    settings: &Settings,
) -> Result<(), Error> {
    let Some(redrive) = &settings.redrive else { return Ok(()) };
    let wrong = |reason: &str| Err(Error::parameter("RedrivePolicy", &redrive.target, reason));
    let Some(name) = context.queue_name_in_arn(&redrive.target) else {
        return wrong("Dead letter target does not exist.");
    };
    if name == own_name {
        return wrong("A queue cannot be its own dead letter target.");
    }
    let Some(target) = queue::find(connection, name)? else { return wrong("Dead letter target does not exist.") };
    if target.is_fifo() != settings.fifo.is_some() {
        return wrong("Dead-letter queue must be same type of queue as the source.");
    }
    let allow = target.settings.redrive_allow.as_ref();
    if allow.is_some_and(|allow| !allow.allows(&context.queue_arn(own_name))) {
        return wrong("The dead letter target does not allow this queue (RedriveAllowPolicy).");
    }
    Ok(())
}

/// Where the messages of a queue go that were received too often.
pub(super) struct DeadLetters {
    queue: Queue,
    most_receives: i64,
    moved: usize,
}

impl DeadLetters {
    /// `None` as well when the dead-letter queue was deleted: then messages stay where they are.
    pub(super) fn find(tx: &Transaction<'_>, context: &Context, source: &Queue) -> Result<Option<Self>, Error> {
        let Some(redrive) = &source.settings.redrive else { return Ok(None) };
        let Some(name) = context.queue_name_in_arn(&redrive.target) else { return Ok(None) };
        let queue = queue::find(tx, name)?;
        Ok(queue.map(|queue| Self { queue, most_receives: redrive.most_receives, moved: 0 }))
    }

    /// Whether the message was handed out as often as it may be.
    pub(super) fn want(&self, message: &Stored) -> bool {
        message.receives >= self.most_receives
    }

    /// The message keeps its id and its count. In a standard queue it keeps its time of sending too,
    /// in a FIFO queue it arrives anew (SQS developer guide, "Using dead-letter queues").
    pub(super) fn take(
        &mut self,
        tx: &Transaction<'_>,
        source: &Queue,
        message: &Stored,
        now: i64,
    ) -> Result<(), Error> {
        let (target, id, origin) = (self.queue.id, message.id, &source.name);
        match message.group.as_deref().filter(|_| self.queue.is_fifo()) {
            None => {
                tx.prepare_cached("UPDATE sqs_messages SET queue = ?2, visible_ms = ?3, origin = ?4 WHERE id = ?1")?
                    .execute(params![id, target, now, origin])?;
            }
            Some(group) => {
                // A new row: the order in a FIFO queue is that of the ids.
                tx.prepare_cached(
                    "INSERT INTO sqs_messages (queue, visible_ms, receives, received_ms, first_received_ms, sent_ms,
                         message_id, sender, trace, attributes, body, message_group, deduplication, origin)
                     SELECT ?2, ?3, receives, received_ms, first_received_ms, ?3,
                         message_id, sender, trace, attributes, body, message_group, deduplication, ?4
                     FROM sqs_messages WHERE id = ?1",
                )?
                .execute(params![id, target, now, origin])?;
                tx.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([id])?;
                groups::arrived(tx, target, group, now)?;
            }
        }
        self.moved += 1;
        Ok(())
    }

    /// Wakes polls of the dead-letter queue after the commit.
    pub(super) fn wake(&self, tx: &mut Transaction<'_>, waiting: &Arc<Waiting>, now: i64) {
        (0..self.moved).for_each(|_| waiting::wake(tx, waiting, &self.queue.name, now, now));
    }
}
