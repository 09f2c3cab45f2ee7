//! Message groups of FIFO queues: which of them can be received from, and when.
//!
//! While a message of a group is in flight, no other of the group is handed out (SQS developer guide,
//! "FIFO queue delivery logic"). So a group is due when its first message is visible and none is in
//! flight. Keeping that moment in a row of its own makes a receive look at groups that are due and at
//! nothing else, however many messages wait behind one that is in flight.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Error;

/// A message arrived, as the last of its group. Only the first of a group decides when it is due.
pub(super) fn arrived(connection: &Connection, queue: i64, group: &str, visible_ms: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO sqs_groups (queue, message_group, due_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![queue, group, visible_ms])?;
    Ok(())
}

/// Works out anew when a group is due, after any change to its messages; `None` when it has none.
pub(super) fn refresh(connection: &Connection, queue: i64, group: &str) -> Result<Option<i64>, Error> {
    let first: Option<i64> = connection
        .prepare_cached(
            "SELECT visible_ms FROM sqs_messages WHERE queue = ?1 AND message_group = ?2 ORDER BY id LIMIT 1",
        )?
        .query_row(params![queue, group], |row| row.get(0))
        .optional()?;
    let Some(first) = first else {
        connection
            .prepare_cached("DELETE FROM sqs_groups WHERE queue = ?1 AND message_group = ?2")?
            .execute(params![queue, group])?;
        return Ok(None);
    };
    let in_flight: Option<i64> = connection
        .prepare_cached(
            "SELECT max(visible_ms) FROM sqs_messages WHERE queue = ?1 AND message_group = ?2 AND receives > 0",
        )?
        .query_row(params![queue, group], |row| row.get(0))?;
    let due_ms = first.max(in_flight.unwrap_or(first));
    connection
        .prepare_cached("INSERT OR REPLACE INTO sqs_groups (queue, message_group, due_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![queue, group, due_ms])?;
    Ok(Some(due_ms))
}

/// The groups that can be received from, those first that have been for longest.
pub(super) fn due(connection: &Connection, queue: i64, now: i64, most: usize) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT message_group FROM sqs_groups WHERE queue = ?1 AND due_ms <= ?2 ORDER BY due_ms, message_group LIMIT ?3",
    )?;
    let groups = statement.query_map(params![queue, now, most as i64], |row| row.get(0))?;
    Ok(groups.collect::<Result<_, _>>()?)
}

/// When the next group is due; the end of time when there is none.
pub(super) fn next_due(connection: &Connection, queue: i64) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached("SELECT min(due_ms) FROM sqs_groups WHERE queue = ?1")?;
    let due: Option<i64> = statement.query_row([queue], |row| row.get(0))?;
    Ok(due.unwrap_or(i64::MAX))
}

/// All groups of a queue: its messages are gone.
pub(super) fn forget(connection: &Connection, queue: i64) -> Result<(), Error> {
    connection.execute("DELETE FROM sqs_groups WHERE queue = ?1", [queue])?;
    Ok(())
}
