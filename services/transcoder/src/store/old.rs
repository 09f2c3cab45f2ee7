//! What has been kept for long enough. Each call does a bounded part of what there is.

use common::Timestamp;
use sqlx::AnyConnection;

/// The most rows of one call.
const ROWS: i64 = 500;

/// Forgets the client tokens of jobs that were made before `before`; their tokens make new jobs then.
pub async fn forget_tokens(connection: &mut AnyConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE jobs SET client_token = NULL WHERE id IN
         (SELECT id FROM jobs WHERE client_token IS NOT NULL AND id < $1 ORDER BY id LIMIT $2)",
    )
    // An id begins with the time at which it was made.
    .bind(format!("{:013}", before.as_millis()))
    .bind(ROWS)
    .execute(connection)
    .await?;
    Ok(updated.rows_affected())
}

/// Deletes jobs that ended before `before`.
pub async fn delete_jobs(connection: &mut AnyConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(
        "DELETE FROM jobs WHERE id IN
         (SELECT id FROM jobs WHERE status IN ('Complete', 'Canceled', 'Error') AND driven_at < $1 LIMIT $2)",
    )
    .bind(before.as_millis())
    .bind(ROWS)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes pipelines that were deleted and have no job any more.
pub async fn delete_pipelines(connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(
        "DELETE FROM pipelines WHERE id IN
         (SELECT id FROM pipelines WHERE status = 'Deleted' AND NOT EXISTS
          (SELECT 1 FROM jobs WHERE pipeline_id = pipelines.id) LIMIT $1)",
    )
    .bind(ROWS)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes presets that were deleted before `before`.
pub async fn delete_presets(connection: &mut AnyConnection, before: Timestamp) -> Result<u64, sqlx::Error> {
    let deleted =
        sqlx::query("DELETE FROM presets WHERE id IN (SELECT id FROM presets WHERE deleted_at < $1 LIMIT $2)")
            .bind(before.as_millis())
            .bind(ROWS)
            .execute(connection)
            .await?;
    Ok(deleted.rows_affected())
}
