//! Deleted files, and the removal of their objects.

use common::{FileId, Timestamp, UserId};
use sqlx::{AnyConnection, Row};

use super::row;

/// The most files of one round.
const ROUND: i64 = 20;
/// How long a round may take before another process tries, in milliseconds.
const LEASE_MS: i64 = 5 * 60 * 1000;

/// A file whose objects are to be removed, claimed until `lease`.
#[derive(Debug)]
pub struct Purge {
    /// The file.
    pub id: FileId,
    /// How often it was tried, this time included.
    pub attempts: i64,
    lease: i64,
}

/// Deletes the owner's file. False when there is none.
pub async fn delete(
    connection: &mut AnyConnection,
    owner: &UserId,
    id: FileId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE files SET deleted_at = $1, purge_at = $1, updated_at = $1
         WHERE id = $2 AND owner = $3 AND deleted_at IS NULL",
    )
    .bind(now.as_millis())
    .bind(id.to_string())
    .bind(owner.as_str())
    .execute(connection)
    .await
    .map(|result| result.rows_affected() == 1)
}

/// Has the objects of a deleted file removed again. False when the file is not a deleted one.
pub async fn purge_again(connection: &mut AnyConnection, id: FileId, now: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query("UPDATE files SET purge_at = $1, purge_attempts = 0 WHERE id = $2 AND deleted_at IS NOT NULL")
        .bind(now.as_millis())
        .bind(id.to_string())
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}

/// Claims files whose objects are due to be removed.
pub async fn claim(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<Purge>, sqlx::Error> {
    let lease = now.as_millis() + LEASE_MS;
    let rows = sqlx::query(
        "UPDATE files SET purge_at = $1, purge_attempts = purge_attempts + 1
         WHERE id IN (SELECT id FROM files WHERE purge_at <= $2 ORDER BY purge_at LIMIT $3) AND purge_at <= $2
         RETURNING id, purge_attempts",
    )
    .bind(lease)
    .bind(now.as_millis())
    .bind(ROUND)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(Purge { id: row::parse(row, "id")?, attempts: row.try_get("purge_attempts")?, lease }))
        .collect()
}

/// Ends a claim: done, or tried again at `again`. A wish to purge again that came meanwhile stays.
pub async fn release(
    connection: &mut AnyConnection,
    purge: &Purge,
    again: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE files SET purge_at = $1 WHERE id = $2 AND purge_at = $3")
        .bind(again.map(Timestamp::as_millis))
        .bind(purge.id.to_string())
        .bind(purge.lease)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets files that were deleted before `until` and whose objects are gone.
pub async fn forget(connection: &mut AnyConnection, until: Timestamp) -> Result<u64, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM files WHERE deleted_at <= $1 AND purge_at IS NULL LIMIT $2")
        .bind(until.as_millis())
        .bind(ROUND)
        .fetch_all(&mut *connection)
        .await?;
    let mut forgotten = 0;
    for row in &rows {
        let id: String = row.try_get("id")?;
        sqlx::query("DELETE FROM outputs WHERE file_id = $1").bind(id.as_str()).execute(&mut *connection).await?;
        let deleted =
            sqlx::query("DELETE FROM files WHERE id = $1").bind(id.as_str()).execute(&mut *connection).await?;
        forgotten += deleted.rows_affected();
    }
    Ok(forgotten)
}
