//! Jobs.

use common::Timestamp;
use elastic_transcoder::{Job, JobStatus};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{PAGE, Page, Slice, decode, encode, page};
use crate::gauge::Progress;

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

/// One job, and how far it is when it runs and that is known.
pub async fn see_job(connection: &mut AnyConnection, id: &str) -> Result<Option<(Job, Option<Progress>)>, sqlx::Error> {
    let query = sqlx::query("SELECT document, percent, speed FROM jobs WHERE id = $1").bind(id);
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    let percent: Option<i64> = row.try_get("percent")?;
    let speed: Option<i64> = row.try_get("speed")?;
    let progress = percent.zip(speed).map(|(percent, speed)| Progress::stored(percent, speed));
    Ok(Some((decode(row.try_get("document")?)?, progress)))
}

/// One job.
pub async fn find_job(connection: &mut AnyConnection, id: &str) -> Result<Option<Job>, sqlx::Error> {
    let row = sqlx::query("SELECT document FROM jobs WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}

/// Stores a changed job if it is still in the state that the change began from. False if it is not.
pub async fn update_job(connection: &mut AnyConnection, job: &Job, from: JobStatus) -> Result<bool, sqlx::Error> {
    let updated =
        sqlx::query("UPDATE jobs SET status = $1, document = $2, driven_at = $3, percent = NULL, speed = NULL WHERE id = $4 AND status = $5")
            .bind(job.status.as_str())
            .bind(encode(job)?)
            .bind(Timestamp::now().as_millis())
            .bind(job.id.as_str())
            .bind(from.as_str())
            .execute(connection)
            .await?;
    Ok(updated.rows_affected() == 1)
}

/// How many jobs of a pipeline wait, counted up to `most`.
pub async fn count_waiting(connection: &mut AnyConnection, pipeline_id: &str, most: i64) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "SELECT COUNT(*) FROM
         (SELECT id FROM jobs WHERE pipeline_id = $1 AND status = 'Submitted' LIMIT $2) AS waiting",
    )
    .bind(pipeline_id)
    .bind(most)
    .fetch_one(connection)
    .await?;
    row.try_get(0)
}

/// How many jobs of all pipelines are in a state, counted up to `most`.
pub async fn count_in(connection: &mut AnyConnection, status: JobStatus, most: i64) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM (SELECT id FROM jobs WHERE status = $1 LIMIT $2) AS found")
        .bind(status.as_str())
        .bind(most)
        .fetch_one(connection)
        .await?;
    row.try_get(0)
}

/// The oldest jobs of a pipeline that wait.
pub async fn waiting(connection: &mut AnyConnection, pipeline_id: &str, most: i64) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM jobs WHERE pipeline_id = $1 AND status = 'Submitted' ORDER BY id LIMIT $2")
        .bind(pipeline_id)
        .bind(most)
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
