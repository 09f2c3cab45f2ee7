//! Bodies that are arriving.

use common::{FileId, Timestamp};
use sqlx::AnyConnection;

use super::row;

/// The most uploads of one round.
const ROUND: i64 = 100;

/// Notes that a body begins to arrive.
pub async fn insert(connection: &mut AnyConnection, id: FileId, now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO uploads (id, started_at, touched_at, abandoned) VALUES ($1, $2, $2, 0)")
        .bind(id.to_string())
        .bind(now.as_millis())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Notes that it still arrives, and under which id S3 knows it. False when it was given up meanwhile.
pub async fn touch(
    connection: &mut AnyConnection,
    id: FileId,
    s3_upload_id: Option<&str>,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query("UPDATE uploads SET touched_at = $1, s3_upload_id = $2 WHERE id = $3 AND abandoned = 0")
        .bind(now.as_millis())
        .bind(s3_upload_id)
        .bind(id.to_string())
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}

/// It becomes a file. False when it was given up meanwhile: its object may be gone.
pub async fn finish(connection: &mut AnyConnection, id: FileId) -> Result<bool, sqlx::Error> {
    sqlx::query("DELETE FROM uploads WHERE id = $1 AND abandoned = 0")
        .bind(id.to_string())
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}

/// It will not become a file any more, if nothing was heard of it since `until`. False when it did,
/// or was heard of.
pub async fn abandon(connection: &mut AnyConnection, id: FileId, until: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query("UPDATE uploads SET abandoned = 1 WHERE id = $1 AND touched_at <= $2")
        .bind(id.to_string())
        .bind(until.as_millis())
        .execute(connection)
        .await
        .map(|result| result.rows_affected() == 1)
}

/// Nothing is left of it.
pub async fn remove(connection: &mut AnyConnection, id: FileId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM uploads WHERE id = $1 AND abandoned = 1")
        .bind(id.to_string())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Those that nothing was heard of since `until`, oldest first.
pub async fn silent(connection: &mut AnyConnection, until: Timestamp) -> Result<Vec<FileId>, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM uploads WHERE touched_at <= $1 ORDER BY touched_at LIMIT $2")
        .bind(until.as_millis())
        .bind(ROUND)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row::parse(row, "id")).collect()
}
