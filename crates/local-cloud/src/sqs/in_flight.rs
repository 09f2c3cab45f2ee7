//! How many messages of a queue may be in flight at one time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rusqlite::Connection;

use super::error::Error;

/// For either kind of queue (SQS developer guide, "Amazon SQS message quotas").
const MOST: i64 = 120_000;

/// For each queue at least as many as are in flight, so that they are counted only when it might be
/// too many: messages also come back by themselves, which nobody notices.
#[derive(Default)]
pub(super) struct InFlight(Mutex<HashMap<i64, Bound>>);

/// How often a queue near the limit is counted: that takes a while, and all writes wait for it.
const EVERY_MS: i64 = 1000;

#[derive(Clone, Copy, Default)]
struct Bound {
    messages: i64,
    counted_ms: i64,
}

impl InFlight {
    /// How many more may be handed out, up to `most`.
    pub(super) fn room(&self, connection: &Connection, queue: i64, now: i64, most: usize) -> Result<usize, Error> {
        // At most ten.
        let most = most as i64;
        let mut bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = match bounds.get(&queue) {
            Some(bound) if bound.messages + most <= MOST || now - bound.counted_ms < EVERY_MS => *bound,
            _ => Bound { messages: count(connection, queue, now)?, counted_ms: now },
        };
        bounds.insert(queue, bound);
        Ok(usize::try_from((MOST - bound.messages).clamp(0, most)).unwrap_or_default())
    }

    /// So many were handed out.
    pub(super) fn add(&self, queue: i64, count: usize) {
        let mut bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.entry(queue).or_default().messages += count as i64;
    }

    /// A message that was in flight is deleted.
    pub(super) fn remove(&self, queue: i64) {
        let mut bounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bound) = bounds.get_mut(&queue) {
            bound.messages = (bound.messages - 1).max(0);
        }
    }

    /// The queue is gone.
    pub(super) fn forget(&self, queue: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&queue);
    }
}

fn count(connection: &Connection, queue: i64, now: i64) -> Result<i64, Error> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM sqs_messages WHERE queue = ?1 AND visible_ms > ?2 AND receives > 0")?;
    Ok(statement.query_row([queue, now], |row| row.get(0))?)
}
