//! What only reads.

use common::UserId;
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Row};

use super::{Head, Store};
use crate::notice::{Notice, Sequence};

/// The most owners of one statement.
pub const MAX_OWNERS: usize = 512;

/// Which notices a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Those not read yet.
    #[default]
    Unread,
    /// Those read.
    Read,
    /// Both.
    All,
}

/// Some notices, and where their owner's stood at the same moment.
#[derive(Debug, Default)]
pub struct Listed {
    /// The notices.
    pub notices: Vec<Notice>,
    /// The count and the newest.
    pub head: Head,
}

/// Some of a user's notices and the user's counts in one statement, so that they fit each other. The
/// inner SELECT walks an index and stops at its limit; a row without a notice stands for an empty list.
macro_rules! listing {
    ($which:literal, $order:literal) => {
        concat!(
            "SELECT c.unread AS head_unread, c.newest, c.version, m.*
             FROM counters c LEFT JOIN (
                 SELECT id, owner, sequence, kind, level, text, file_id, created_at, read_at
                 FROM messages WHERE owner = $1 AND ",
            $which,
            " ORDER BY sequence ",
            $order,
            " LIMIT $3
             ) m ON m.owner = c.owner
             WHERE c.owner = $1 ORDER BY m.sequence ",
            $order
        )
    };
}

/// The statement behind a list.
pub(super) const fn listing(status: Status) -> &'static str {
    match status {
        Status::Unread => listing!("unread = 1 AND sequence < $2", "DESC"),
        Status::Read => listing!("unread = 0 AND sequence < $2", "DESC"),
        Status::All => listing!("sequence < $2", "DESC"),
    }
}

impl Store {
    /// Up to `limit` notices of `owner`, newest first, from before `cursor` on.
    pub async fn list(
        &self,
        owner: &UserId,
        status: Status,
        cursor: Option<Sequence>,
        limit: i64,
    ) -> Result<Listed, sqlx::Error> {
        self.listed(listing(status), owner, cursor.unwrap_or(Sequence::MAX), limit).await
    }

    /// Up to `limit` notices of `owner`, oldest first, that came after `position`.
    pub async fn after(&self, owner: &UserId, position: Sequence, limit: i64) -> Result<Listed, sqlx::Error> {
        self.listed(listing!("sequence > $2", "ASC"), owner, position, limit).await
    }

    async fn listed(
        &self,
        statement: &'static str,
        owner: &UserId,
        place: Sequence,
        limit: i64,
    ) -> Result<Listed, sqlx::Error> {
        let rows = sqlx::query(statement)
            .bind(owner.as_str())
            .bind(place.as_i64())
            .bind(limit)
            .fetch_all(self.database.pool())
            .await?;
        let Some(first) = rows.first() else { return Ok(Listed::default()) };
        let head = Head::from_row(first)?;
        if first.try_get::<Option<String>, _>("id")?.is_none() {
            return Ok(Listed { notices: Vec::new(), head });
        }
        Ok(Listed { notices: rows.iter().map(Notice::from_row).collect::<Result<_, _>>()?, head })
    }

    /// Where the notices of `owner` stand: one look at one row.
    pub async fn head(&self, owner: &UserId) -> Result<Head, sqlx::Error> {
        let row = sqlx::query("SELECT unread AS head_unread, newest, version FROM counters WHERE owner = $1")
            .bind(owner.as_str())
            .fetch_optional(self.database.pool())
            .await?;
        row.as_ref().map_or(Ok(Head::default()), Head::from_row)
    }

    /// The same of up to [`MAX_OWNERS`] at once; those who never had a notice are left out.
    pub async fn heads(&self, owners: &[UserId]) -> Result<Vec<(UserId, Head)>, sqlx::Error> {
        let Some(last) = owners.last() else { return Ok(Vec::new()) };
        // Few lengths make few statements, which each connection then keeps prepared.
        let length = owners.len().next_power_of_two();
        let places: Vec<String> = (1..=length).map(|place| format!("${place}")).collect();
        let statement = format!(
            "SELECT owner, unread AS head_unread, newest, version FROM counters WHERE owner IN ({})",
            places.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for place in 0..length {
            query = query.bind(owners.get(place).unwrap_or(last).as_str());
        }
        let rows = query.fetch_all(self.database.pool()).await?;
        let read = |row| {
            let owner: String = sqlx::Row::try_get(row, "owner")?;
            Ok((owner.try_into().map_err(super::decode)?, Head::from_row(row)?))
        };
        rows.iter().map(read).collect()
    }
}
