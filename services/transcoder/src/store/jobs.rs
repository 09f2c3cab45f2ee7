//! Jobs.

use common::Timestamp;
use elastic_transcoder::{Job, JobStatus};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{PAGE, Page, Slice, decode, encode, page};

/// Jobs that one round of the sweep asks for again.
const STALE: i64 = 100;

/// What came of storing a new job.
#[derive(Debug)]
pub enum Created {
    /// It is new.
    New,
    /// The client's token made this job before.
    Before(Box<Job>),
}

/// Stores a new job, once for each token and pipeline. A unique violation means that its id is taken.
pub async fn create_job(
    connection: &mut AnyConnection,
    job: &Job,
    client_token: Option<&str>,
) -> Result<Created, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO jobs (id, pipeline_id, status, client_token, document, driven_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (pipeline_id, client_token) DO NOTHING",
    )
    .bind(job.id.as_str())
    .bind(job.pipeline_id.as_str())
    .bind(job.status.as_str())
    .bind(client_token)
    .bind(encode(job)?)
    .bind(Timestamp::now().as_millis())
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Created::New);
    }
    let before = sqlx::query("SELECT document FROM jobs WHERE pipeline_id = $1 AND client_token = $2")
        .bind(job.pipeline_id.as_str())
        .bind(client_token)
        .fetch_one(connection)
        .await?;
    Ok(Created::Before(Box::new(decode(before.try_get("document")?)?)))
}

/// One job.
pub async fn find_job(connection: &mut AnyConnection, id: &str) -> Result<Option<Job>, sqlx::Error> {
    let row = sqlx::query("SELECT document FROM jobs WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}

/// Stores a changed job if it is still in the state that the change began from. False if it is not.
pub async fn update_job(connection: &mut AnyConnection, job: &Job, from: JobStatus) -> Result<bool, sqlx::Error> {
    let updated =
        sqlx::query("UPDATE jobs SET status = $1, document = $2, driven_at = $3 WHERE id = $4 AND status = $5")
            .bind(job.status.as_str())
            .bind(encode(job)?)
            .bind(Timestamp::now().as_millis())
            .bind(job.id.as_str())
            .bind(from.as_str())
            .execute(connection)
            .await?;
    Ok(updated.rows_affected() == 1)
}

/// Notes that somebody works on the job.
pub async fn touch(connection: &mut AnyConnection, id: &str, now: Timestamp) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE jobs SET driven_at = $1 WHERE id = $2").bind(now.as_millis()).bind(id);
    update.execute(connection).await.map(|_| ())
}

/// Takes jobs in the given state that have stood still since `before`, for the caller to ask for them again.
pub async fn take_stale(
    connection: &mut AnyConnection,
    now: Timestamp,
    status: JobStatus,
    before: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE jobs SET driven_at = $1 WHERE driven_at < $2 AND id IN
         (SELECT id FROM jobs WHERE status = $3 AND driven_at < $2 ORDER BY driven_at LIMIT $4)
         RETURNING id",
    )
    .bind(now.as_millis())
    .bind(before.as_millis())
    .bind(status.as_str())
    .bind(STALE)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

/// A page of a pipeline's jobs.
pub async fn jobs_by_pipeline(
    connection: &mut AnyConnection,
    pipeline_id: &str,
    slice: Slice<'_>,
) -> Result<Page<Job>, sqlx::Error> {
    let statement = if slice.ascending {
        "SELECT document FROM jobs WHERE pipeline_id = $1 AND id > $2 ORDER BY id LIMIT $3"
    } else {
        "SELECT document FROM jobs WHERE pipeline_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
    };
    let rows =
        sqlx::query(statement).bind(pipeline_id).bind(slice.bound()).bind(PAGE + 1).fetch_all(connection).await?;
    read(&rows)
}

/// A page of the jobs in one state.
pub async fn jobs_by_status(
    connection: &mut AnyConnection,
    status: JobStatus,
    slice: Slice<'_>,
) -> Result<Page<Job>, sqlx::Error> {
    let statement = if slice.ascending {
        "SELECT document FROM jobs WHERE status = $1 AND id > $2 ORDER BY id LIMIT $3"
    } else {
        "SELECT document FROM jobs WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
    };
    let query = sqlx::query(statement).bind(status.as_str()).bind(slice.bound()).bind(PAGE + 1);
    read(&query.fetch_all(connection).await?)
}

fn read(rows: &[AnyRow]) -> Result<Page<Job>, sqlx::Error> {
    let jobs = rows.iter().map(|row| decode(row.try_get("document")?)).collect::<Result<Vec<Job>, _>>()?;
    Ok(page(jobs, |job| &job.id))
}
