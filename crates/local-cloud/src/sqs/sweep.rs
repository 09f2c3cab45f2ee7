//! Removing messages that nobody received in time.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use rusqlite::{Connection, params};

use super::{Sqs, attributes::Settings, deduplication, error::Error, groups, now_ms, take};

/// How often at most. A message that expired is never handed out in the meantime.
const EVERY_MS: i64 = 60_000;
/// Messages of one queue removed at a time, so that others need not wait long for the store.
const AT_A_TIME: i64 = 1000;

impl Sqs {
    /// Starts a sweep in the background if the last one is a while ago. Requests drive it: without
    /// any, nothing grows.
    pub(super) fn sweep_now_and_then(&self) {
        let now = now_ms();
        let last = self.swept_ms.load(Ordering::Relaxed);
        let is_mine = now - last >= EVERY_MS
            && self.swept_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_mine {
            return;
        }
        self.waiting.prune();
        let store = self.context.store.clone();
        tokio::spawn(async move {
            // In many small writes, between which others have their turn.
            loop {
                match store.write(move |tx| sweep(tx, now)).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "expired messages could not be removed");
                        return;
                    }
                }
            }
        });
    }
}

/// True when there may be more to remove.
fn sweep(connection: &Connection, now: i64) -> Result<bool, Error> {
    let mut queues = connection.prepare_cached("SELECT id, settings FROM sqs_queues")?;
    let queues = queues.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let queues: Vec<(i64, String)> = queues.collect::<Result<_, _>>()?;
    let mut more = false;
    for (id, settings) in queues {
        let settings: Settings = serde_json::from_str(&settings).map_err(|error| Error::Internal(error.to_string()))?;
        let (removed, emptied) = expire(connection, id, now - settings.retention * 1000)?;
        more |= removed as i64 == AT_A_TIME;
        if settings.fifo.is_some() {
            emptied.iter().try_for_each(|group| groups::refresh(connection, id, group).map(drop))?;
        }
    }
    more |= deduplication::sweep(connection, now)?;
    more |= take::sweep(connection, now)?;
    Ok(more)
}

/// Removes messages of a queue; gives back how many, and the groups that they were in.
fn expire(connection: &Connection, queue: i64, until_ms: i64) -> Result<(usize, BTreeSet<String>), Error> {
    // A message that became visible before the limit was sent before it too; the index finds it.
    let mut delete = connection.prepare_cached(
        "DELETE FROM sqs_messages WHERE id IN
             (SELECT id FROM sqs_messages WHERE queue = ?1 AND visible_ms <= ?2 LIMIT ?3)
         RETURNING message_group",
    )?;
    let groups = delete.query_map(params![queue, until_ms, AT_A_TIME], |row| row.get::<_, Option<String>>(0))?;
    let groups: Vec<Option<String>> = groups.collect::<Result<_, _>>()?;
    Ok((groups.len(), groups.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::{super::schema::SCHEMA, *};

    #[test]
    fn only_what_is_older_than_its_queue_keeps_it_goes() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let settings = serde_json::to_string(&Settings { retention: 60, ..Settings::default() }).unwrap();
        connection
            .execute(
                "INSERT INTO sqs_queues (id, name, settings, tags, created_ms, modified_ms) VALUES (1, 'q', ?1, '{}', 0, 0)",
                [settings],
            )
            .unwrap();
        for (id, visible_ms) in [(1, 40_000), (2, 40_001), (3, 200_000)] {
            connection
                .execute(
                    "INSERT INTO sqs_messages (id, queue, visible_ms, sent_ms, message_id, sender, body)
                     VALUES (?1, 1, ?2, 0, '', '', '')",
                    [id, visible_ms],
                )
                .unwrap();
        }
        sweep(&connection, 100_000).unwrap();
        let mut left = connection.prepare("SELECT id FROM sqs_messages ORDER BY id").unwrap();
        let left: Vec<i64> = left.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(left, [2, 3]);
    }
}
