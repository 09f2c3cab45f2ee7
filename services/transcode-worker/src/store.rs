//! Which file has which job.

use common::{FileId, Timestamp};
use sqlx::{AnyPool, Row};

/// Notes that a request for the file was seen. Gives back its job, if it has one already.
pub async fn note(pool: &AnyPool, file: FileId, now: Timestamp) -> Result<Option<String>, sqlx::Error> {
    sqlx::query("INSERT INTO jobs (file_id, created_at) VALUES ($1, $2) ON CONFLICT (file_id) DO NOTHING")
        .bind(file.to_string())
        .bind(now.as_millis())
        .execute(pool)
        .await?;
    let row = sqlx::query("SELECT job_id FROM jobs WHERE file_id = $1").bind(file.to_string()).fetch_one(pool).await?;
    row.try_get("job_id")
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
            assert_eq!(note(database.pool(), file, now).await.unwrap(), None);
            let mut connection = database.pool().acquire().await.unwrap();
            assert!(submitted(&mut connection, file, "first", now).await.unwrap());
            assert!(!submitted(&mut connection, file, "second", now).await.unwrap());
            assert_eq!(note(database.pool(), file, now).await.unwrap().as_deref(), Some("first"));
        }
    }
}
