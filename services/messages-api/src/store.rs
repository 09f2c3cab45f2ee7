//! Notices and their counts in the database.
//!
//! Every change of a user's notices updates the user's row in `counters` first and in the same
//! transaction. The row is the lock: changes of one user follow each other, and none waits in a circle.

mod change;
mod read;
#[cfg(test)]
mod tests;

use database::Database;
use sqlx::{Row, any::AnyRow};

use crate::notice::{Notice, Sequence};

pub use change::Marked;
pub use read::{MAX_OWNERS, Status};

/// The tables of this service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

/// Where a user's notices stand. All zero for a user who never had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// How many are unread.
    pub unread: i64,
    /// The newest one's place.
    pub newest: Sequence,
    /// Of two heads the one of the greater version is the later one.
    pub version: i64,
}

impl Store {
    /// The store behind a database that has been migrated.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.database.ping().await
    }
}

impl Head {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            unread: row.try_get("head_unread")?,
            newest: Sequence::from_i64(row.try_get("newest")?),
            version: row.try_get("version")?,
        })
    }
}

impl Notice {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let id: String = row.try_get("id")?;
        let file_id: Option<String> = row.try_get("file_id")?;
        let created_at: i64 = row.try_get("created_at")?;
        let read_at: Option<i64> = row.try_get("read_at")?;
        Ok(Self {
            id: id.parse().map_err(decode)?,
            kind: row.try_get("kind")?,
            level: row.try_get("level")?,
            text: row.try_get("text")?,
            file_id: file_id.map(|id| id.parse()).transpose().map_err(decode)?,
            created_at: common::Timestamp::from_millis(created_at),
            read_at: read_at.map(common::Timestamp::from_millis),
            sequence: Sequence::from_i64(row.try_get("sequence")?),
        })
    }
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
