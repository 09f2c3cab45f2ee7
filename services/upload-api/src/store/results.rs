//! What a result changes.

use common::{FileId, FileState, OutputResult, OutputState, ResultError, Timestamp, TranscodeResult};
use sqlx::AnyConnection;

/// Moves a file forward, with its outputs. False when it is not there or has moved as far already;
/// then nothing changes.
pub async fn apply(
    connection: &mut AnyConnection,
    result: &TranscodeResult,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let moved = advance(connection, result, now).await?;
    let raised = raise(connection, result, now).await?;
    if !moved {
        return Ok(raised);
    }
    for output in &result.outputs {
        set_output(connection, result.file_id, output).await?;
    }
    match result.state {
        FileState::Error => end_pending(connection, result, OutputState::Error).await?,
        FileState::Canceled => end_pending(connection, result, OutputState::Canceled).await?,
        _ => {}
    }
    Ok(true)
}

async fn advance(
    connection: &mut AnyConnection,
    result: &TranscodeResult,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let mut from = result.state.predecessors().map(FileState::as_str);
    let mut next = || from.next().unwrap_or("");
    let fault = fault(result);
    sqlx::query(
        "UPDATE files SET state = $1, updated_at = $2, error_code = $3, error_message = $4,
                progress = CASE WHEN $5 = 1 THEN 100 ELSE progress END
         WHERE id = $6 AND deleted_at IS NULL AND state IN ($7, $8, $9)",
    )
    .bind(result.state.as_str())
    .bind(now.as_millis())
    .bind(fault.map(|fault| i64::from(fault.code)))
    .bind(fault.map(|fault| fault.message.as_str()))
    .bind(i64::from(result.state == FileState::Complete))
    .bind(result.file_id.to_string())
    .bind(next())
    .bind(next())
    .bind(next())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// How far the job of a file is only grows; 100 is for files that are complete.
async fn raise(connection: &mut AnyConnection, result: &TranscodeResult, now: Timestamp) -> Result<bool, sqlx::Error> {
    let Some(progress) = result.progress.filter(|_| result.state == FileState::Transcoding) else { return Ok(false) };
    sqlx::query(
        "UPDATE files SET progress = $1, updated_at = $2
         WHERE id = $3 AND deleted_at IS NULL AND state = $4 AND progress < $1",
    )
    .bind(i64::from(progress.min(99)))
    .bind(now.as_millis())
    .bind(result.file_id.to_string())
    .bind(FileState::Transcoding.as_str())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Why the file failed: the job's reason, or else the first output's.
fn fault(result: &TranscodeResult) -> Option<&ResultError> {
    if result.state != FileState::Error {
        return None;
    }
    result.error.as_ref().or_else(|| result.outputs.iter().find_map(|output| output.error.as_ref()))
}

/// An output that is done stays done.
async fn set_output(connection: &mut AnyConnection, id: FileId, output: &OutputResult) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE outputs SET state = $1, size = $2, duration_ms = $3, error_code = $4, error_message = $5
         WHERE file_id = $6 AND key = $7 AND state = $8",
    )
    .bind(output.state.as_str())
    .bind(output.size)
    .bind(output.duration_ms)
    .bind(output.error.as_ref().map(|fault| i64::from(fault.code)))
    .bind(output.error.as_ref().map(|fault| fault.message.as_str()))
    .bind(id.to_string())
    .bind(output.key.as_str())
    .bind(OutputState::Pending.as_str())
    .execute(connection)
    .await
    .map(|_| ())
}

/// A job that ended leaves no output pending, even one that the result does not speak of.
async fn end_pending(
    connection: &mut AnyConnection,
    result: &TranscodeResult,
    state: OutputState,
) -> Result<(), sqlx::Error> {
    let fault = fault(result);
    sqlx::query("UPDATE outputs SET state = $1, error_code = $2, error_message = $3 WHERE file_id = $4 AND state = $5")
        .bind(state.as_str())
        .bind(fault.map(|fault| i64::from(fault.code)))
        .bind(fault.map(|fault| fault.message.as_str()))
        .bind(result.file_id.to_string())
        .bind(OutputState::Pending.as_str())
        .execute(connection)
        .await
        .map(|_| ())
}
