//! What writes.

use common::{FileId, NoticeId, Timestamp, UserId};
use sqlx::{AnyConnection, Row};

use super::{Head, Store};
use crate::notice::{About, NewNotice};

/// The most notices that one transaction marks: others wait for it no longer than that takes.
const BATCH: i64 = 500;

/// For how long a deleted file is remembered: queues keep a message for 14 days at most, and dead letters
/// for as long again.
const MUTED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// What became of a request to mark a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// The user has no such notice.
    Absent,
    /// It was so already.
    Already,
    /// It is so now.
    Changed(Head),
}

impl Store {
    /// Stores a notice, unread. `None` when there is one about the same, for a result comes twice or late;
    /// or when the file was deleted.
    pub async fn add(&self, notice: &NewNotice, now: Timestamp) -> Result<Option<Head>, sqlx::Error> {
        let (file_id, source) = match &notice.about {
            About::File(id) => (Some(id.to_string()), None),
            About::Source(name) => (None, Some(name.as_str())),
        };
        let mut transaction = self.database.begin().await?;
        let row = sqlx::query(
            "INSERT INTO counters (owner, unread, newest, version) VALUES ($1, 1, 1, 1)
             ON CONFLICT (owner) DO UPDATE SET
                 unread = counters.unread + 1, newest = counters.newest + 1, version = counters.version + 1
             RETURNING unread AS head_unread, newest, version",
        )
        .bind(notice.owner.as_str())
        .fetch_one(&mut *transaction)
        .await?;
        let head = Head::from_row(&row)?;
        let inserted = sqlx::query(
            "INSERT INTO messages (id, owner, sequence, kind, level, text, file_id, created_at, unread, source)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, $9
             WHERE NOT EXISTS (SELECT 1 FROM deleted_files WHERE deleted_files.file_id = $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(NoticeId::generate().to_string())
        .bind(notice.owner.as_str())
        .bind(head.newest.as_i64())
        .bind(notice.kind)
        .bind(notice.level)
        .bind(notice.text.as_str())
        .bind(file_id)
        .bind(now.as_millis())
        .bind(source)
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(head))
    }

    /// From now on nothing that becomes of this file makes a notice; one that is there stays. Forgets the
    /// oldest of such files, of which nothing can come any more.
    pub async fn mute(&self, file: FileId, now: Timestamp) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        sqlx::query("INSERT INTO deleted_files (file_id, deleted_at) VALUES ($1, $2) ON CONFLICT (file_id) DO NOTHING")
            .bind(file.to_string())
            .bind(now.as_millis())
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM deleted_files WHERE file_id IN (
                 SELECT file_id FROM deleted_files WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2
             )",
        )
        .bind(now.as_millis() - MUTED_MS)
        .bind(BATCH)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Marks a notice of `owner` as read at `read_at`, or as unread.
    pub async fn mark(&self, owner: &UserId, id: NoticeId, read_at: Option<Timestamp>) -> Result<Marked, sqlx::Error> {
        let unread = i64::from(read_at.is_none());
        // Looking first keeps repetitions from taking locks.
        let found = sqlx::query("SELECT unread FROM messages WHERE id = $1 AND owner = $2")
            .bind(id.to_string())
            .bind(owner.as_str())
            .fetch_optional(self.database.pool())
            .await?;
        match found.map(|row| row.try_get::<i64, _>("unread")).transpose()? {
            None => return Ok(Marked::Absent),
            Some(now) if now == unread => return Ok(Marked::Already),
            Some(_) => {}
        }
        let mut transaction = self.database.begin().await?;
        lock(&mut transaction, owner).await?;
        let marked =
            sqlx::query("UPDATE messages SET unread = $1, read_at = $2 WHERE id = $3 AND owner = $4 AND unread <> $1")
                .bind(unread)
                .bind(read_at.map(Timestamp::as_millis))
                .bind(id.to_string())
                .bind(owner.as_str())
                .execute(&mut *transaction)
                .await?;
        if marked.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Marked::Already);
        }
        let head = count(&mut transaction, owner, if unread == 1 { 1 } else { -1 }).await?;
        transaction.commit().await?;
        Ok(Marked::Changed(head))
    }

    /// Marks up to [`BATCH`] notices of `owner` that are no newer than `until` as read, and tells how
    /// many. `None` when none was unread.
    pub async fn mark_batch(
        &self,
        owner: &UserId,
        until: Head,
        now: Timestamp,
    ) -> Result<Option<(u64, Head)>, sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        lock(&mut transaction, owner).await?;
        let marked = sqlx::query(
            "UPDATE messages SET unread = 0, read_at = $1 WHERE id IN (
                 SELECT id FROM messages WHERE owner = $2 AND unread = 1 AND sequence <= $3
                 ORDER BY sequence DESC LIMIT $4
             )",
        )
        .bind(now.as_millis())
        .bind(owner.as_str())
        .bind(until.newest.as_i64())
        .bind(BATCH)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if marked == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        let less = i64::try_from(marked).map_err(super::decode)?;
        let head = count(&mut transaction, owner, -less).await?;
        transaction.commit().await?;
        Ok(Some((marked, head)))
    }
}

/// Takes the owner's row, so that nobody else changes the owner's notices until the end of the transaction.
async fn lock(connection: &mut AnyConnection, owner: &UserId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE counters SET version = version + 1 WHERE owner = $1")
        .bind(owner.as_str())
        .execute(connection)
        .await
        .map(|_| ())
}

async fn count(connection: &mut AnyConnection, owner: &UserId, change: i64) -> Result<Head, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE counters SET unread = unread + $1 WHERE owner = $2 RETURNING unread AS head_unread, newest, version",
    )
    .bind(change)
    .bind(owner.as_str())
    .fetch_one(connection)
    .await?;
    Head::from_row(&row)
}
