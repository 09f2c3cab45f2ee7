//! A receive from a FIFO queue whose answer was lost, and that is made again under the same
//! `ReceiveRequestAttemptId`: it gets the same messages and handles, hidden anew, if none of them was
//! touched meanwhile (SQS API, ReceiveMessage). Otherwise it is like any other.

use rusqlite::{Connection, params};

use super::{Stored, refresh};
use crate::sqs::{error::Error, queue::Queue};

/// How long an attempt can be repeated.
const WINDOW_MS: i64 = 5 * 60_000;
/// How many that are older are removed in one write.
const AT_A_TIME: i64 = 1000;

/// The messages of an earlier attempt; none, where there is nothing to repeat.
pub(super) fn again(tx: &Connection, queue: &Queue, id: &str, now: i64, due_ms: i64) -> Result<Vec<Stored>, Error> {
    let handed_out: usize = tx
        .prepare_cached("SELECT count(*) FROM sqs_attempts WHERE queue = ?1 AND attempt = ?2 AND until_ms > ?3")?
        .query_row(params![queue.id, id, now], |row| row.get(0))?;
    if handed_out == 0 {
        return Ok(Vec::new());
    }
    let rows = untouched(tx, queue.id, id, now)?;
    if rows.len() < handed_out {
        return Ok(Vec::new());
    }
    let mut hide = tx.prepare_cached("UPDATE sqs_messages SET visible_ms = ?2 WHERE id = ?1")?;
    for row in &rows {
        hide.execute([row.id, due_ms])?;
    }
    refresh(tx, queue.id, &rows)?;
    remember(tx, queue.id, id, &rows, now, due_ms)?;
    Ok(rows)
}

/// Those of an attempt that are still as it left them, in flight and in order. The plus signs keep
/// SQLite from going through all that is in flight instead.
fn untouched(tx: &Connection, queue: i64, id: &str, now: i64) -> Result<Vec<Stored>, Error> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {} FROM sqs_messages
         WHERE id IN (SELECT message FROM sqs_attempts WHERE queue = ?1 AND attempt = ?2)
             AND +queue = ?1 AND +visible_ms > ?3
             AND (receives, +visible_ms) = (SELECT receives, due_ms FROM sqs_attempts
                 WHERE queue = ?1 AND attempt = ?2 AND message = sqs_messages.id)
         ORDER BY message_group, id",
        Stored::COLUMNS
    ))?;
    let rows = statement.query_map(params![queue, id, now], Stored::read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What an attempt handed out, in place of what it did before.
pub(super) fn remember(
    tx: &Connection,
    queue: i64,
    id: &str,
    rows: &[Stored],
    now: i64,
    due_ms: i64,
) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM sqs_attempts WHERE queue = ?1 AND attempt = ?2")?.execute(params![queue, id])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO sqs_attempts (queue, attempt, message, receives, due_ms, until_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        insert.execute(params![queue, id, row.id, row.receives, due_ms, now + WINDOW_MS])?;
    }
    Ok(())
}

/// Removes some of the attempts that can no longer be repeated, among them those of deleted queues; true
/// when there may be more.
pub(in crate::sqs) fn sweep(connection: &Connection, now: i64) -> Result<bool, Error> {
    let removed = connection.execute(
        "DELETE FROM sqs_attempts WHERE rowid IN (SELECT rowid FROM sqs_attempts WHERE until_ms <= ?1 LIMIT ?2)",
        [now, AT_A_TIME],
    )?;
    Ok(removed as i64 == AT_A_TIME)
}
