//! Taking from a FIFO queue.

use rusqlite::{Connection, params};

use super::{MOST_ROUNDS, Stored, Taking, groups};
use crate::{sqs::error::Error, store::Transaction};

impl Taking<'_> {
    /// The messages of a FIFO queue to hand out: from the groups that are due, and from each of them
    /// as many as there are in their order (SQS developer guide, "FIFO queue delivery logic").
    pub(super) fn in_order(&mut self, tx: &Transaction<'_>) -> Result<Vec<Stored>, Error> {
        let mut good: Vec<Stored> = Vec::with_capacity(self.most);
        for _ in 0..MOST_ROUNDS {
            let due = groups::due(tx, self.queue.id, self.now, self.most)?;
            for group in &due {
                if good.len() < self.most {
                    self.of_group(tx, group, &mut good)?;
                }
            }
            // Otherwise all that was found had expired or was moved, and there may be more.
            if due.is_empty() || !good.is_empty() {
                break;
            }
        }
        Ok(good)
    }

    /// Stops at the first message that is not visible yet, so that none overtakes another.
    fn of_group(&mut self, tx: &Transaction<'_>, group: &str, good: &mut Vec<Stored>) -> Result<(), Error> {
        let room = self.most - good.len();
        let rows = first(tx, self.queue.id, group, self.now, room)?;
        let found = rows.len();
        let before = good.len();
        for row in rows {
            good.extend(self.sift(tx, row)?);
        }
        // Those that are handed out are hidden, and their group worked out anew, by the caller.
        if good.len() - before < found || found == 0 {
            groups::refresh(tx, self.queue.id, group)?;
        }
        Ok(())
    }
}

/// The first messages of a group, as far as they are visible.
pub(in crate::sqs) fn first(
    tx: &Connection,
    queue: i64,
    group: &str,
    now: i64,
    most: usize,
) -> Result<Vec<Stored>, Error> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {}, visible_ms FROM sqs_messages WHERE queue = ?1 AND message_group = ?2 ORDER BY id LIMIT ?3",
        Stored::COLUMNS
    ))?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(12)?, Stored::read(row)?));
    let rows = statement.query_map(params![queue, group, most as i64], read)?;
    let rows: Vec<(i64, Stored)> = rows.collect::<Result<_, _>>()?;
    Ok(rows.into_iter().take_while(|(visible_ms, _)| *visible_ms <= now).map(|(_, row)| row).collect())
}
