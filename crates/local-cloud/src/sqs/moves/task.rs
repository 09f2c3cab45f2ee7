//! Move tasks as the store keeps them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::MOST_SHOWN;
use crate::sqs::error::Error;

/// One move task.
pub(super) struct Task {
    pub(super) id: i64,
    /// The name of the dead-letter queue.
    pub(super) source: String,
    /// The name of the queue that everything goes to; without one, each message goes back to where
    /// it came from.
    pub(super) destination: Option<String>,
    pub(super) per_second: Option<i64>,
    pub(super) started_ms: i64,
    pub(super) moved: i64,
    pub(super) to_move: i64,
    pub(super) status: Status,
    pub(super) failure: Option<String>,
}

/// Its states in the API. Cancelling takes no time here, so that there is no `CANCELLING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Running,
    Completed,
    Cancelled,
    Failed,
}

impl Status {
    const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Cancelled, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
            Self::Failed => "FAILED",
        }
    }

    /// What the store holds was written by `as_str`; anything else is a task that cannot go on.
    fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Self::Failed)
    }
}

const COLUMNS: &str = "id, source, destination, per_second, started_ms, moved, to_move, status, failure";

impl Task {
    /// Stores a new task and gives back its id; of the old ones of its queue, only those are kept
    /// that can still be shown.
    pub(super) fn insert(&self, connection: &Connection) -> Result<i64, Error> {
        connection.execute(
            "INSERT INTO sqs_moves (source, destination, per_second, started_ms, to_move, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.source,
                self.destination,
                self.per_second,
                self.started_ms,
                self.to_move,
                self.status.as_str()
            ],
        )?;
        let id = connection.last_insert_rowid();
        connection.execute(
            "DELETE FROM sqs_moves WHERE source = ?1 AND id NOT IN
                 (SELECT id FROM sqs_moves WHERE source = ?1 ORDER BY id DESC LIMIT ?2)",
            params![self.source, MOST_SHOWN],
        )?;
        Ok(id)
    }

    pub(super) fn find(connection: &Connection, id: i64) -> Result<Option<Self>, Error> {
        let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM sqs_moves WHERE id = ?1"))?;
        Ok(statement.query_row([id], Self::read).optional()?)
    }

    pub(super) fn newest(connection: &Connection, source: &str, limit: i64) -> Result<Vec<Self>, Error> {
        let mut statement = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM sqs_moves WHERE source = ?1 ORDER BY id DESC LIMIT ?2"))?;
        let tasks = statement.query_map(params![source, limit], Self::read)?;
        Ok(tasks.collect::<Result<_, _>>()?)
    }

    /// The ids of all that have not ended.
    pub(super) fn running(connection: &Connection) -> Result<Vec<i64>, Error> {
        let mut statement = connection.prepare("SELECT id FROM sqs_moves WHERE status = ?1")?;
        let ids = statement.query_map([Status::Running.as_str()], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// So many more were moved.
    pub(super) fn count(&self, connection: &Connection, moved: i64) -> Result<(), Error> {
        connection
            .prepare_cached("UPDATE sqs_moves SET moved = moved + ?2 WHERE id = ?1")?
            .execute([self.id, moved])?;
        Ok(())
    }

    pub(super) fn end(&self, connection: &Connection, status: Status, failure: Option<&str>) -> Result<(), Error> {
        connection.execute(
            "UPDATE sqs_moves SET status = ?2, failure = ?3 WHERE id = ?1",
            params![self.id, status.as_str(), failure],
        )?;
        Ok(())
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            source: row.get(1)?,
            destination: row.get(2)?,
            per_second: row.get(3)?,
            started_ms: row.get(4)?,
            moved: row.get(5)?,
            to_move: row.get(6)?,
            status: Status::parse(&row.get::<_, String>(7)?),
            failure: row.get(8)?,
        })
    }
}

/// The tasks of a queue that is deleted.
pub(in crate::sqs) fn forget(connection: &Connection, source: &str) -> Result<(), Error> {
    connection.execute("DELETE FROM sqs_moves WHERE source = ?1", [source])?;
    Ok(())
}
