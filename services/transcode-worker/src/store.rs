//! Which file has which job.

use common::{FileId, Timestamp};
use sqlx::{AnyPool, Row, any::AnyRow};

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its job, if it has one.
    pub job_id: Option<String>,
    /// Whether its owner has deleted it.
    pub deleted: bool,
    /// Whether a job was asked for, of which the answer may have been lost.
    pub asked: bool,
}

impl Known {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let deleted_at: Option<i64> = row.try_get("deleted_at")?;
        let asked_at: Option<i64> = row.try_get("asked_at")?;
        Ok(Self { job_id: row.try_get("job_id")?, deleted: deleted_at.is_some(), asked: asked_at.is_some() })
    }
}

/// Notes that a request for the file was seen, and that a job is going to be asked for unless the file
/// was deleted.
pub async fn note(pool: &AnyPool, file: FileId, now: Timestamp) -> Result<Known, sqlx::Error> {
    sqlx::query(
        "INSERT INTO jobs (file_id, created_at, asked_at) VALUES ($1, $2, $2)
         ON CONFLICT (file_id) DO UPDATE SET asked_at = $2 WHERE jobs.asked_at IS NULL AND jobs.deleted_at IS NULL",
    )
    .bind(file.to_string())
    .bind(now.as_millis())
    .execute(pool)
    .await?;
    find(pool, file).await
}

/// Notes that the file was deleted; its request may be yet to come.
pub async fn delete(pool: &AnyPool, file: FileId, now: Timestamp) -> Result<Known, sqlx::Error> {
    sqlx::query(
        "INSERT INTO jobs (file_id, created_at, deleted_at) VALUES ($1, $2, $2)
         ON CONFLICT (file_id) DO UPDATE SET deleted_at = COALESCE(jobs.deleted_at, $2)",
    )
    .bind(file.to_string())
    .bind(now.as_millis())
    .execute(pool)
    .await?;
    find(pool, file).await
}

/// What is known of a file that was noted.
pub async fn find(pool: &AnyPool, file: FileId) -> Result<Known, sqlx::Error> {
    let found = sqlx::query("SELECT job_id, deleted_at, asked_at FROM jobs WHERE file_id = $1").bind(file.to_string());
    Known::from_row(&found.fetch_one(pool).await?)
}

/// Writes down the job of a file. The first one stays. True if this was the first.
pub async fn submitted(
    connection: &mut sqlx::AnyConnection,
    file: FileId,
    job_id: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query("UPDATE jobs SET job_id = $1, submitted_at = $2 WHERE file_id = $3 AND job_id IS NULL")
        .bind(job_id)
        .bind(now.as_millis())
        .bind(file.to_string())
        .execute(connection)
        .await
        .map(|done| done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use database::Database;

    use super::*;

    #[tokio::test]
    async fn the_first_job_of_a_file_stays() {
        for database in testing::databases().await {
            let database = Database::connect(&database.args(), "transcode_worker", &crate::MIGRATOR).await.unwrap();
            let (file, now) = (FileId::generate(), Timestamp::now());
            let known = |job_id: Option<&str>, deleted, asked| {
                let job_id = job_id.map(str::to_owned);
                Known { job_id, deleted, asked }
            };
            assert_eq!(note(database.pool(), file, now).await.unwrap(), known(None, false, true));
            let mut connection = database.pool().acquire().await.unwrap();
            assert!(submitted(&mut connection, file, "first", now).await.unwrap());
            assert!(!submitted(&mut connection, file, "second", now).await.unwrap());
            assert_eq!(note(database.pool(), file, now).await.unwrap(), known(Some("first"), false, true));
            assert_eq!(delete(database.pool(), file, now).await.unwrap(), known(Some("first"), true, true));
            let unseen = FileId::generate();
            assert_eq!(delete(database.pool(), unseen, now).await.unwrap(), known(None, true, false));
            assert_eq!(note(database.pool(), unseen, now).await.unwrap(), known(None, true, false));
        }
    }
}
