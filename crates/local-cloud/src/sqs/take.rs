//! Taking messages out of a queue, in one transaction.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::{
    attributes::Redrive,
    error::Error,
    now_ms,
    queue::{self, Queue},
    waiting::{Bell, Waiting},
};
use crate::{Context, store::Transaction};

/// How many times one attempt looks again after it found messages that had expired or were to be
/// moved; what is left after that is found by the next.
const MOST_ROUNDS: usize = 100;

/// One look at a queue.
pub(super) struct Attempt {
    pub(super) queue: String,
    pub(super) most: usize,
    pub(super) timeout: Option<i64>,
}

/// What it brought.
pub(super) struct Found {
    pub(super) queue: Queue,
    pub(super) rows: Vec<Stored>,
    /// When the next message becomes visible; the end of time when there is none.
    pub(super) next_ms: i64,
}

/// A message as the store has it.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) receives: i64,
    pub(super) first_received_ms: i64,
    pub(super) sent_ms: i64,
    pub(super) message_id: String,
    pub(super) sender: String,
    pub(super) trace: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) body: String,
}

impl Attempt {
    /// Takes what is visible, or says when something will be.
    pub(super) fn run(
        &self,
        tx: &mut Transaction<'_>,
        context: &Context,
        waiting: &Arc<Waiting>,
        bell: Arc<Bell>,
    ) -> Result<Found, Error> {
        let queue = queue::get(tx, &self.queue)?;
        let now = now_ms();
        let mut rows = self.take(tx, context, waiting, &queue, now)?;
        let due_ms = now + self.timeout.unwrap_or(queue.settings.visibility_timeout) * 1000;
        hide(tx, &mut rows, now, due_ms)?;
        let mut next_ms = i64::MAX;
        if rows.is_empty() {
            next_ms = next_due(tx, queue.id)?;
            tx.after_commit(move || bell.expect(next_ms));
        } else {
            let (waiting, name) = (waiting.clone(), queue.name.clone());
            tx.after_commit(move || waiting.visible_at(&name, due_ms, now));
        }
        Ok(Found { queue, rows, next_ms })
    }

    /// The messages to hand out, after removing what is too old and moving what was received too
    /// often. Those found stay in front of the rest, in the same order, until they are hidden.
    fn take(
        &self,
        tx: &mut Transaction<'_>,
        context: &Context,
        waiting: &Arc<Waiting>,
        queue: &Queue,
        now: i64,
    ) -> Result<Vec<Stored>, Error> {
        let expired = now - queue.settings.retention * 1000;
        let mut dead = DeadLetters::find(tx, context, queue.settings.redrive.as_ref())?;
        let mut good: Vec<Stored> = Vec::with_capacity(self.most);
        for _ in 0..MOST_ROUNDS {
            let rows = visible(tx, queue.id, now, self.most - good.len(), good.len())?;
            let found = rows.len();
            let before = good.len();
            for row in rows {
                if row.sent_ms <= expired {
                    tx.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([row.id])?;
                } else if let Some(dead) = dead.as_mut().filter(|dead| row.receives >= dead.most_receives) {
                    dead.take(tx, row.id, now)?;
                } else {
                    good.push(row);
                }
            }
            if good.len() - before == found || good.len() == self.most {
                break;
            }
        }
        if let Some(dead) = dead.filter(|dead| dead.moved > 0) {
            let waiting = waiting.clone();
            tx.after_commit(move || waiting.visible(&dead.queue.name, dead.moved));
        }
        Ok(good)
    }
}

/// Where messages go that were received too often.
struct DeadLetters {
    queue: Queue,
    most_receives: i64,
    moved: usize,
}

impl DeadLetters {
    /// `None` as well when the dead-letter queue was deleted: then messages stay where they are.
    fn find(tx: &Transaction<'_>, context: &Context, redrive: Option<&Redrive>) -> Result<Option<Self>, Error> {
        let Some(redrive) = redrive else { return Ok(None) };
        let Some(name) = context.queue_name_in_arn(&redrive.target) else { return Ok(None) };
        let queue = queue::find(tx, name)?;
        Ok(queue.map(|queue| Self { queue, most_receives: redrive.most_receives, moved: 0 }))
    }

    /// The message keeps its id, its time of sending and its count (SQS developer guide,
    /// "Using dead-letter queues").
    fn take(&mut self, tx: &Transaction<'_>, message: i64, now: i64) -> Result<(), Error> {
        tx.prepare_cached("UPDATE sqs_messages SET queue = ?2, visible_ms = ?3 WHERE id = ?1")?.execute([
            message,
            self.queue.id,
            now,
        ])?;
        self.moved += 1;
        Ok(())
    }
}

fn visible(tx: &Connection, queue: i64, now: i64, most: usize, skip: usize) -> Result<Vec<Stored>, Error> {
    let mut statement = tx.prepare_cached(
        "SELECT id, receives, first_received_ms, sent_ms, message_id, sender, trace, attributes, body
         FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, id LIMIT ?3 OFFSET ?4",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Stored {
            id: row.get(0)?,
            receives: row.get(1)?,
            first_received_ms: row.get(2)?,
            sent_ms: row.get(3)?,
            message_id: row.get(4)?,
            sender: row.get(5)?,
            trace: row.get(6)?,
            attributes: row.get(7)?,
            body: row.get(8)?,
        })
    };
    // At most ten each.
    let rows = statement.query_map(params![queue, now, most as i64, skip as i64], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts the receive, in the rows as well.
fn hide(tx: &Connection, rows: &mut [Stored], now: i64, due_ms: i64) -> Result<(), Error> {
    let mut statement = tx.prepare_cached(
        "UPDATE sqs_messages SET visible_ms = ?2, receives = ?3, received_ms = ?4, first_received_ms = ?5 WHERE id = ?1",
    )?;
    for row in rows {
        row.receives += 1;
        if row.first_received_ms == 0 {
            row.first_received_ms = now;
        }
        statement.execute([row.id, due_ms, row.receives, now, row.first_received_ms])?;
    }
    Ok(())
}

fn next_due(tx: &Connection, queue: i64) -> Result<i64, Error> {
    let mut statement = tx.prepare_cached("SELECT min(visible_ms) FROM sqs_messages WHERE queue = ?1")?;
    let due: Option<i64> = statement.query_row([queue], |row| row.get(0))?;
    Ok(due.unwrap_or(i64::MAX))
}
