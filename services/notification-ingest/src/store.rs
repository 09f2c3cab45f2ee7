//! The tables of events and of how far each job is.

use common::Timestamp;
use sqlx::AnyConnection;

use crate::event::{Stage, Step};

pub mod rejected;

/// An event as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The sender's id of the message.
    pub message_id: &'a str,
    /// The transcoder's job.
    pub job_id: &'a str,
    /// What happened, in the transcoder's word.
    pub state: &'a str,
    /// What became of it here.
    pub outcome: &'a str,
    /// How it came.
    pub source: &'a str,
    /// What was published.
    pub body: &'a str,
}

/// Takes a job a step on. False if it was there already, or further: within a stage, progress grows and a warning is
/// told once.
///
/// One statement, so that of two that come at the same time one waits for the other and then sees what it did.
pub async fn advance(
    connection: &mut AnyConnection,
    job_id: &str,
    step: Step,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "INSERT INTO jobs (job_id, stage, progress, warned, changed_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (job_id) DO UPDATE SET stage = excluded.stage, changed_at = excluded.changed_at,
             progress = CASE WHEN jobs.progress < excluded.progress THEN excluded.progress ELSE jobs.progress END,
             warned = CASE WHEN jobs.warned < excluded.warned THEN excluded.warned ELSE jobs.warned END
         WHERE jobs.stage < excluded.stage
            OR (jobs.stage = $6 AND excluded.stage = $6
                AND (jobs.progress < excluded.progress OR jobs.warned < excluded.warned))",
    )
    .bind(job_id)
    .bind(step.stage as i64)
    .bind(step.progress.map_or(-1, i64::from))
    .bind(i64::from(step.warned))
    .bind(now.as_millis())
    .bind(Stage::Running as i64)
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Keeps an event. False if one of that message id is kept already.
pub async fn keep(connection: &mut AnyConnection, row: Row<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "INSERT INTO events (message_id, job_id, state, outcome, source, body, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (message_id) DO NOTHING",
    )
    .bind(row.message_id)
    .bind(row.job_id)
    .bind(row.state)
    .bind(row.outcome)
    .bind(row.source)
    .bind(row.body)
    .bind(now.as_millis())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Writes what became of an event that is kept.
pub async fn set_outcome(connection: &mut AnyConnection, message_id: &str, outcome: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE events SET outcome = $1 WHERE message_id = $2")
        .bind(outcome)
        .bind(message_id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets up to `most` events, and as many jobs and rejected messages, that are older than `before`. Gives back how
/// many rows went.
pub async fn forget(connection: &mut AnyConnection, before: Timestamp, most: i64) -> Result<u64, sqlx::Error> {
    let mut gone = 0;
    for statement in [
        "DELETE FROM events WHERE message_id IN (SELECT message_id FROM events WHERE received_at < $1 LIMIT $2)",
        "DELETE FROM rejected WHERE id IN (SELECT id FROM rejected WHERE received_at < $1 LIMIT $2)",
        "DELETE FROM jobs WHERE job_id IN (SELECT job_id FROM jobs WHERE changed_at < $1 LIMIT $2)",
    ] {
        let done = sqlx::query(statement).bind(before.as_millis()).bind(most).execute(&mut *connection).await?;
        gone += done.rows_affected();
    }
    Ok(gone)
}

#[cfg(test)]
mod tests;
