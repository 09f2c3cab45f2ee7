//! Emptying a queue.

use rusqlite::Connection;

use super::{
    Sqs,
    error::{Error, kind},
    groups, now_ms, queue,
    queues::{NamedQueue, Nothing},
};

/// How long after a purge there is no other (SQS API, PurgeQueue).
const EVERY_MS: i64 = 60_000;

impl Sqs {
    pub(super) async fn purge_queue(&self, request: NamedQueue) -> Result<Nothing, Error> {
        let name = self.context.queue_name_in_url(request.queue_url.as_deref())?;
        self.context.store.write(move |tx| purge(tx, &name, now_ms())).await?;
        Ok(Nothing {})
    }
}

fn purge(connection: &Connection, name: &str, now: i64) -> Result<(), Error> {
    let queue = queue::get(connection, name)?;
    // A time that is still to come was noted by a clock that went wrong.
    let marked = connection.execute(
        "UPDATE sqs_queues SET purged_ms = ?2 WHERE id = ?1 AND (purged_ms <= ?2 - ?3 OR purged_ms > ?2)",
        [queue.id, now, EVERY_MS],
    )?;
    if marked == 0 {
        let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(Error::client(kind::PURGE_IN_PROGRESS, message));
    }
    empty(connection, queue.id)
}

/// Removes all messages. What was sent just before is still known as sent.
pub(super) fn empty(connection: &Connection, queue: i64) -> Result<(), Error> {
    connection.execute("DELETE FROM sqs_messages WHERE queue = ?1", [queue])?;
    groups::forget(connection, queue)
}

#[cfg(test)]
mod tests {
    use super::{super::schema::SCHEMA, *};

    #[test]
    fn a_purge_is_refused_for_a_minute_and_not_longer() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let settings = serde_json::to_string(&super::super::attributes::Settings::default()).unwrap();
        let insert =
            "INSERT INTO sqs_queues (name, settings, tags, created_ms, modified_ms) VALUES ('q', ?1, '{}', 0, 0)";
        connection.execute(insert, [settings]).unwrap();
        purge(&connection, "q", 1_000_000).unwrap();
        assert!(purge(&connection, "q", 1_059_999).is_err());
        purge(&connection, "q", 1_060_000).unwrap();
        purge(&connection, "q", 900_000).unwrap();
    }
}
