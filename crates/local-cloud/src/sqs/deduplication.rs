//! Sending twice what must be in a FIFO queue once.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::Error,
    fifo::{Fifo, Scope},
};

/// How long a deduplication id counts, also when its message is deleted meanwhile (SQS developer
/// guide, "Exactly-once processing").
const WINDOW_MS: i64 = 5 * 60_000;
/// How many that no longer count are removed in one write.
const AT_A_TIME: i64 = 1000;

/// What a message is recognised by.
pub(super) struct Key<'a> {
    pub(super) queue: i64,
    /// The message group, where ids count for each group alone.
    scope: &'a str,
    id: &'a str,
}

/// The message that was sent first.
pub(super) struct First {
    pub(super) message: i64,
    pub(super) message_id: String,
}

impl<'a> Key<'a> {
    pub(super) fn new(queue: i64, fifo: &Fifo, group: &'a str, id: &'a str) -> Self {
        let scope = match fifo.scope {
            Scope::Queue => "",
            Scope::MessageGroup => group,
        };
        Self { queue, scope, id }
    }

    /// The first message, if it was sent within the window.
    pub(super) fn find(&self, connection: &Connection, now: i64) -> Result<Option<First>, Error> {
        let mut statement = connection.prepare_cached(
            "SELECT message, message_id FROM sqs_deduplications
             WHERE queue = ?1 AND scope = ?2 AND deduplication = ?3 AND until_ms > ?4",
        )?;
        let read = |row: &rusqlite::Row<'_>| Ok(First { message: row.get(0)?, message_id: row.get(1)? });
        Ok(statement.query_row(params![self.queue, self.scope, self.id, now], read).optional()?)
    }

    pub(super) fn remember(&self, connection: &Connection, first: &First, now: i64) -> Result<(), Error> {
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO sqs_deduplications (queue, scope, deduplication, message, message_id, until_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let until_ms = now + WINDOW_MS;
        statement.execute(params![self.queue, self.scope, self.id, first.message, first.message_id, until_ms])?;
        Ok(())
    }
}

/// Removes some of what no longer counts; true when there may be more.
pub(super) fn sweep(connection: &Connection, now: i64) -> Result<bool, Error> {
    let removed = connection.execute(
        "DELETE FROM sqs_deduplications WHERE rowid IN
             (SELECT rowid FROM sqs_deduplications WHERE until_ms <= ?1 LIMIT ?2)",
        [now, AT_A_TIME],
    )?;
    Ok(removed as i64 == AT_A_TIME)
}

/// All of a queue that is deleted.
pub(super) fn forget(connection: &Connection, queue: i64) -> Result<(), Error> {
    connection.execute("DELETE FROM sqs_deduplications WHERE queue = ?1", [queue])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::schema::SCHEMA, *};

    #[test]
    fn an_id_counts_for_five_minutes_in_its_scope() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let per_queue = Fifo::default();
        let per_group = Fifo { scope: Scope::MessageGroup, ..Fifo::default() };
        let found = |queue, fifo, group, id, now| Key::new(queue, fifo, group, id).find(&connection, now).unwrap();
        let first = First { message: 7, message_id: "m".into() };
        Key::new(1, &per_queue, "a", "x").remember(&connection, &first, 1000).unwrap();
        assert_eq!(found(1, &per_queue, "b", "x", 300_999).unwrap().message, 7);
        assert!(found(1, &per_queue, "a", "x", 301_000).is_none());
        assert!(found(2, &per_queue, "a", "x", 1000).is_none());
        Key::new(1, &per_group, "a", "y").remember(&connection, &first, 1000).unwrap();
        assert!(found(1, &per_group, "a", "y", 1000).is_some());
        assert!(found(1, &per_group, "b", "y", 1000).is_none());
        sweep(&connection, 301_000).unwrap();
        let left: i64 = connection.query_row("SELECT count(*) FROM sqs_deduplications", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
