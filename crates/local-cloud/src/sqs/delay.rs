//! A new delay of a FIFO queue, which counts for the messages too that are in it already (SQS API,
//! SetQueueAttributes, `DelaySeconds`).

use std::{collections::BTreeSet, sync::Arc};

use rusqlite::{Connection, params};

use super::{error::Error, groups, queue, waiting::Waiting};
use crate::{Context, store::Transaction};

/// Messages that get the delay in one write, so that others need not wait long for the store.
const AT_A_TIME: i64 = 500;

/// Behind which message to go on: its group and its id.
type Position = (String, i64);

/// Gives the delay of a queue to all its messages, in many small writes. A crash may leave it half done, and then the
/// change was not acknowledged; made again, it is done again.
pub(super) async fn spread(context: &Context, waiting: &Arc<Waiting>, name: &str) -> Result<(), Error> {
    let mut after = (String::new(), 0);
    loop {
        let (waiting, name) = (waiting.clone(), name.to_owned());
        let step = move |tx: &mut Transaction<'_>| {
            let next = step(tx, &name, &after)?;
            tx.after_commit(move || waiting.changed(&name));
            Ok::<_, Error>(next)
        };
        match context.store.write(step).await? {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}

/// Does the next few; `None` when that was all. What the delay is now counts, whoever set it.
fn step(connection: &Connection, name: &str, after: &Position) -> Result<Option<Position>, Error> {
    // Deleted meanwhile.
    let Some(queue) = queue::find(connection, name)? else { return Ok(None) };
    let messages = next(connection, queue.id, after)?;
    let mut delay = connection
        .prepare_cached("UPDATE sqs_messages SET visible_ms = sent_ms + ?2 WHERE id = ?1 AND receives = 0")?;
    for (_, id) in &messages {
        delay.execute([*id, queue.settings.delay * 1000])?;
    }
    let changed: BTreeSet<&str> = messages.iter().map(|(group, _)| group.as_str()).collect();
    changed.into_iter().try_for_each(|group| groups::refresh(connection, queue.id, group).map(drop))?;
    Ok(messages.into_iter().last())
}

/// The next messages by group and id, which is how an index has them.
fn next(connection: &Connection, queue: i64, (group, id): &Position) -> Result<Vec<Position>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT message_group, id FROM sqs_messages
         WHERE queue = ?1 AND message_group IS NOT NULL AND (message_group, id) > (?2, ?3)
         ORDER BY message_group, id LIMIT ?4",
    )?;
    let rows = statement.query_map(params![queue, group, id, AT_A_TIME], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{attributes::Settings, schema::SCHEMA},
        *,
    };

    #[test]
    fn all_messages_get_it_a_few_at_a_time() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let settings = Settings { delay: 60, fifo: Some(Default::default()), ..Settings::default() };
        let settings = serde_json::to_string(&settings).unwrap();
        for (id, name) in [(1, "q.fifo"), (2, "other.fifo")] {
            let insert = "INSERT INTO sqs_queues (id, name, settings, tags, created_ms, modified_ms) VALUES (?1, ?2, ?3, '{}', 0, 0)";
            connection.execute(insert, params![id, name, settings]).unwrap();
        }
        // One large group across the steps, and many small ones.
        let count = AT_A_TIME * 2;
        for n in 0..count {
            let group = if n % 2 == 0 { "large".to_owned() } else { n.to_string() };
            for queue in [1, 2] {
                let insert = "INSERT INTO sqs_messages (queue, visible_ms, sent_ms, message_id, sender, body, message_group, receives)
                     VALUES (?1, 1000, 1000, '', '', '', ?2, ?3)";
                // One is in flight: its time is not the delay's.
                connection.execute(insert, params![queue, group, i64::from(n == 1)]).unwrap();
                groups::arrived(&connection, queue, &group, 1000).unwrap();
            }
        }
        let (mut after, mut steps) = ((String::new(), 0), 0);
        while let Some(next) = step(&connection, "q.fifo", &after).unwrap() {
            (after, steps) = (next, steps + 1);
        }
        assert_eq!(steps, 2);
        let of = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(of("SELECT count(*) FROM sqs_messages WHERE queue = 1 AND visible_ms = 61000"), count - 1);
        assert_eq!(of("SELECT count(*) FROM sqs_messages WHERE queue = 2 AND visible_ms = 1000"), count);
        assert_eq!(of("SELECT count(*) FROM sqs_groups WHERE queue = 1 AND due_ms = 61000"), count / 2);
        assert_eq!(of("SELECT count(*) FROM sqs_groups WHERE queue = 1 AND due_ms = 1000"), 1);
        assert_eq!(step(&connection, "gone.fifo", &(String::new(), 0)).unwrap(), None);
    }
}
