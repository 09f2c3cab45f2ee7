//! Whose turn it is: claims jobs for workers, fairly between pipelines, and keeps the claims.
//!
//! See ADR 0006 (`docs/adr`).

use common::Timestamp;
use elastic_transcoder::{Job, JobStatus};
use sqlx::{AnyConnection, Row};

use super::encode;
use crate::gauge::Progress;

/// The most jobs with an ended lease that one round of the sweep asks for.
const ENDED: i64 = 100;

/// A claim on a job: it holds until somebody else may think that its owner died.
#[derive(Debug, Clone)]
pub struct Lease {
    /// A name that no other claim has.
    pub owner: String,
    /// When it ends, unless it is renewed.
    pub until: Timestamp,
}

/// The job whose turn it is: that of the pipeline with the fewest running, and there the oldest that was begun and
/// left, or else the oldest that waits. Each part is one look into an index, however long the queues are.
pub async fn next_job(connection: &mut AnyConnection, now: Timestamp) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT COALESCE(begun, waiting) AS id FROM (
             SELECT
                 (SELECT COUNT(*) FROM jobs WHERE pipeline_id = pipelines.id AND status = 'Progressing'
                     AND lease_until > $1 AND lease_owner IS NOT NULL) AS running,
                 (SELECT MIN(id) FROM jobs WHERE pipeline_id = pipelines.id AND status = 'Progressing'
                     AND lease_until <= $1) AS begun,
                 CASE WHEN pipelines.status = 'Active' THEN
                     (SELECT MIN(id) FROM jobs WHERE pipeline_id = pipelines.id AND status = 'Submitted'
                         AND lease_until <= $1) END AS waiting
             FROM pipelines WHERE pipelines.status <> 'Deleted'
         ) AS turns
         WHERE begun IS NOT NULL OR waiting IS NOT NULL
         ORDER BY running, COALESCE(begun, waiting) LIMIT 1",
    )
    .bind(now.as_millis())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.try_get("id")).transpose()
}

/// Stores a begun job for its new owner, if it is as it was and nobody runs it. Gives how often it was begun now.
pub async fn claim_job(
    connection: &mut AnyConnection,
    job: &Job,
    from: JobStatus,
    lease: &Lease,
    now: Timestamp,
) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE jobs SET status = $1, document = $2, driven_at = $3, lease_owner = $4, lease_until = $5,
             tries = tries + 1, percent = NULL, speed = NULL
         WHERE id = $6 AND status = $7 AND lease_until <= $3 RETURNING tries",
    )
    .bind(job.status.as_str())
    .bind(encode(job)?)
    .bind(now.as_millis())
    .bind(lease.owner.as_str())
    .bind(lease.until.as_millis())
    .bind(job.id.as_str())
    .bind(from.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.try_get("tries")).transpose()
}

/// Says that the owner still runs the job and how far it is. False when the job is no longer the owner's.
pub async fn renew(
    connection: &mut AnyConnection,
    job_id: &str,
    lease: &Lease,
    progress: Option<Progress>,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE jobs SET lease_until = $1, percent = $2, speed = $3
         WHERE id = $4 AND lease_owner = $5 AND status = 'Progressing'",
    )
    .bind(lease.until.as_millis())
    .bind(progress.map(|progress| progress.percent()))
    .bind(progress.map(|progress| progress.thousandths()))
    .bind(job_id)
    .bind(lease.owner.as_str())
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Gives a job back that is to be tried again, not before the given time.
pub async fn release(
    connection: &mut AnyConnection,
    job_id: &str,
    owner: &str,
    not_before: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE jobs SET lease_owner = NULL, lease_until = $1, percent = NULL, speed = NULL
         WHERE id = $2 AND lease_owner = $3 AND status = 'Progressing'",
    )
    .bind(not_before.as_millis())
    .bind(job_id)
    .bind(owner)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Leaves a job that cannot be read alone until the given time, so that others get their turn.
pub async fn set_aside(connection: &mut AnyConnection, job_id: &str, until: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE jobs SET lease_owner = NULL, lease_until = $1 WHERE id = $2")
        .bind(until.as_millis())
        .bind(job_id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Stores the end of a job. False when it is no longer the owner's: cancelled, or taken over and ended by another.
pub async fn end_job(connection: &mut AnyConnection, job: &Job, owner: &str) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query(
        "UPDATE jobs SET status = $1, document = $2, driven_at = $3, lease_owner = NULL, lease_until = 0,
             percent = NULL, speed = NULL
         WHERE id = $4 AND lease_owner = $5 AND status = 'Progressing'",
    )
    .bind(job.status.as_str())
    .bind(encode(job)?)
    .bind(Timestamp::now().as_millis())
    .bind(job.id.as_str())
    .bind(owner)
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Jobs whose lease has ended and that were not asked for since `before`, for the caller to ask for a worker.
pub async fn take_ended(
    connection: &mut AnyConnection,
    now: Timestamp,
    before: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE jobs SET driven_at = $1 WHERE driven_at < $2 AND id IN
         (SELECT id FROM jobs WHERE status = 'Progressing' AND driven_at < $2 AND lease_until <= $1
          ORDER BY driven_at LIMIT $3)
         RETURNING id",
    )
    .bind(now.as_millis())
    .bind(before.as_millis())
    .bind(ENDED)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

/// The oldest waiting job of each active pipeline that was not asked for since `before`. One is enough: whoever comes
/// for it goes on with what waits behind it.
pub async fn take_waiting(
    connection: &mut AnyConnection,
    now: Timestamp,
    before: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE jobs SET driven_at = $1 WHERE driven_at < $2 AND id IN
         (SELECT (SELECT MIN(id) FROM jobs WHERE pipeline_id = pipelines.id AND status = 'Submitted')
          FROM pipelines WHERE pipelines.status = 'Active')
         RETURNING id",
    )
    .bind(now.as_millis())
    .bind(before.as_millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}
