//! Taking messages out of a queue, in one transaction.

mod in_order;
mod repeat;

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

pub(super) use in_order::first;
pub(super) use repeat::sweep;

use super::{
    dead_letters::DeadLetters,
    error::Error,
    groups,
    in_flight::InFlight,
    now_ms,
    queue::{self, Queue},
    waiting::{Bell, Waiting},
};
use crate::{Context, store::Transaction};

/// How many times one attempt looks again after it found messages that had expired or were to be
/// moved; what is left after that is found by the next.
const MOST_ROUNDS: usize = 100;
/// When to look again at a queue that has too much in flight: what is deleted rings no bell.
const FULL_MS: i64 = 1000;

/// One look at a queue.
pub(super) struct Attempt {
    pub(super) queue: String,
    pub(super) most: usize,
    pub(super) timeout: Option<i64>,
    /// `ReceiveRequestAttemptId`.
    pub(super) repeat: Option<String>,
}

/// What an attempt works with beside the store.
pub(super) struct Surroundings {
    pub(super) context: Arc<Context>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) in_flight: Arc<InFlight>,
}

/// What it brought.
pub(super) struct Found {
    pub(super) queue: Queue,
    pub(super) rows: Vec<Stored>,
    /// When to look again, if there is nothing; the end of time when nothing will be there.
    pub(super) next_ms: i64,
    /// Whether there is nothing because too much is in flight.
    pub(super) is_full: bool,
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
    pub(super) group: Option<String>,
    pub(super) deduplication: Option<String>,
    pub(super) origin: Option<String>,
}

/// An attempt that has begun.
struct Taking<'a> {
    queue: &'a Queue,
    dead: Option<DeadLetters>,
    now: i64,
    most: usize,
}

impl Attempt {
    /// Takes what is visible, or says when something will be.
    pub(super) fn run(
        &self,
        tx: &mut Transaction<'_>,
        surroundings: &Surroundings,
        bell: Arc<Bell>,
    ) -> Result<Found, Error> {
        let Surroundings { context, waiting, in_flight } = surroundings;
        let queue = queue::get(tx, &self.queue)?;
        let now = now_ms();
        let due_ms = now + self.timeout.unwrap_or(queue.settings.visibility_timeout) * 1000;
        let repeat = self.repeat.as_deref().filter(|_| queue.is_fifo());
        if let Some(id) = repeat {
            let rows = repeat::again(tx, &queue, id, now, due_ms)?;
            if !rows.is_empty() {
                return Ok(Found { queue, rows, next_ms: due_ms, is_full: false });
            }
        }
        let most = in_flight.room(tx, queue.id, now, self.most)?;
        if most == 0 {
            return Ok(Found { queue, rows: Vec::new(), next_ms: now + FULL_MS, is_full: true });
        }
        let dead = DeadLetters::find(tx, context, &queue)?;
        let mut taking = Taking { queue: &queue, dead, now, most };
        let mut rows = if queue.is_fifo() { taking.in_order(tx)? } else { taking.any(tx)? };
        if let Some(dead) = taking.dead {
            dead.wake(tx, waiting, now);
        }
        hide(tx, &mut rows, now, due_ms)?;
        if queue.is_fifo() {
            refresh(tx, queue.id, &rows)?;
        }
        if let Some(id) = repeat {
            repeat::remember(tx, queue.id, id, &rows, now, due_ms)?;
        }
        let mut next_ms = i64::MAX;
        if rows.is_empty() {
            next_ms = next_due(tx, &queue)?;
            tx.after_commit(move || bell.expect(next_ms));
        } else {
            in_flight.add(queue.id, rows.len());
            let (waiting, name) = (waiting.clone(), queue.name.clone());
            tx.after_commit(move || waiting.visible_at(&name, due_ms, now));
        }
        Ok(Found { queue, rows, next_ms, is_full: false })
    }
}

impl Taking<'_> {
    /// The messages of a standard queue to hand out. Those found stay in front of the rest, in the
    /// same order, until they are hidden.
    fn any(&mut self, tx: &Transaction<'_>) -> Result<Vec<Stored>, Error> {
        let mut good: Vec<Stored> = Vec::with_capacity(self.most);
        for _ in 0..MOST_ROUNDS {
            let rows = visible(tx, self.queue.id, self.now, self.most - good.len(), good.len())?;
            let found = rows.len();
            let before = good.len();
            for row in rows {
                good.extend(self.sift(tx, row)?);
            }
            if good.len() - before == found || good.len() == self.most {
                break;
            }
        }
        Ok(good)
    }

    /// Gives a message back that can be handed out; removes one that is too old and moves one that
    /// was received too often.
    fn sift(&mut self, tx: &Transaction<'_>, row: Stored) -> Result<Option<Stored>, Error> {
        if row.sent_ms <= self.queue.expired_ms(self.now) {
            tx.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([row.id])?;
        } else if let Some(dead) = self.dead.as_mut().filter(|dead| dead.want(&row)) {
            dead.take(tx, self.queue, &row, self.now)?;
        } else {
            return Ok(Some(row));
        }
        Ok(None)
    }
}

impl Stored {
    /// The columns that [`Self::read`] wants, in its order.
    const COLUMNS: &str = "id, receives, first_received_ms, sent_ms, message_id, sender, trace, attributes, body,
         message_group, deduplication, origin";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            receives: row.get(1)?,
            first_received_ms: row.get(2)?,
            sent_ms: row.get(3)?,
            message_id: row.get(4)?,
            sender: row.get(5)?,
            trace: row.get(6)?,
            attributes: row.get(7)?,
            body: row.get(8)?,
            group: row.get(9)?,
            deduplication: row.get(10)?,
            origin: row.get(11)?,
        })
    }
}

/// The messages of a standard queue that can be received, those first that could be for longest.
pub(super) fn visible(tx: &Connection, queue: i64, now: i64, most: usize, skip: usize) -> Result<Vec<Stored>, Error> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {} FROM sqs_messages
         WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, sent_ms, id LIMIT ?3 OFFSET ?4",
        Stored::COLUMNS
    ))?;
    // A few each.
    let rows = statement.query_map(params![queue, now, most as i64, skip as i64], Stored::read)?;
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

/// The groups of messages that were just hidden. Those of one group stand together.
fn refresh(tx: &Connection, queue: i64, rows: &[Stored]) -> Result<(), Error> {
    let mut groups: Vec<&str> = rows.iter().filter_map(|row| row.group.as_deref()).collect();
    groups.dedup();
    groups.into_iter().try_for_each(|group| groups::refresh(tx, queue, group).map(drop))
}

fn next_due(tx: &Connection, queue: &Queue) -> Result<i64, Error> {
    if queue.is_fifo() {
        return groups::next_due(tx, queue.id);
    }
    let mut statement = tx.prepare_cached("SELECT min(visible_ms) FROM sqs_messages WHERE queue = ?1")?;
    let due: Option<i64> = statement.query_row([queue.id], |row| row.get(0))?;
    Ok(due.unwrap_or(i64::MAX))
}
