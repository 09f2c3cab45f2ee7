//! Pipelines.

use database::Kind;
use elastic_transcoder::Pipeline;
use sqlx::{AnyConnection, Row};

use super::{PAGE, Page, Slice, decode, encode, page};

/// What a transaction that reads a pipeline does to it.
#[derive(Debug, Clone, Copy)]
pub enum Hold {
    /// It stores something that belongs to the pipeline, which must not change meanwhile.
    Keep,
    /// It changes the pipeline.
    Change,
}

/// Stores a new pipeline. A unique violation means that its id is taken.
pub async fn create_pipeline(connection: &mut AnyConnection, pipeline: &Pipeline) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO pipelines (id, document, status) VALUES ($1, $2, $3)")
        .bind(pipeline.id.as_str())
        .bind(encode(pipeline)?)
        .bind(pipeline.status.as_str())
        .execute(connection)
        .await
        .map(|_| ())
}

/// One pipeline that is not deleted.
pub async fn find_pipeline(connection: &mut AnyConnection, id: &str) -> Result<Option<Pipeline>, sqlx::Error> {
    read(connection, "SELECT document FROM pipelines WHERE id = $1 AND status <> 'Deleted'", id).await
}

/// The pipeline of a job, which may have been deleted after the job.
pub async fn find_pipeline_of_job(connection: &mut AnyConnection, id: &str) -> Result<Option<Pipeline>, sqlx::Error> {
    read(connection, "SELECT document FROM pipelines WHERE id = $1", id).await
}

/// One pipeline that is not deleted, held until the transaction ends. On SQLite a transaction that writes is alone
/// anyway, and there is no such clause.
pub async fn hold_pipeline(
    connection: &mut AnyConnection,
    kind: Kind,
    id: &str,
    hold: Hold,
) -> Result<Option<Pipeline>, sqlx::Error> {
    let statement = match (kind, hold) {
        (Kind::Sqlite, _) => "SELECT document FROM pipelines WHERE id = $1 AND status <> 'Deleted'",
        (Kind::Postgres, Hold::Keep) => {
            "SELECT document FROM pipelines WHERE id = $1 AND status <> 'Deleted' FOR SHARE"
        }
        (Kind::Postgres, Hold::Change) => {
            "SELECT document FROM pipelines WHERE id = $1 AND status <> 'Deleted' FOR UPDATE"
        }
    };
    read(connection, statement, id).await
}

/// Stores a changed pipeline that the transaction holds.
pub async fn update_pipeline(connection: &mut AnyConnection, pipeline: &Pipeline) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE pipelines SET document = $1, status = $2 WHERE id = $3")
        .bind(encode(pipeline)?)
        .bind(pipeline.status.as_str())
        .bind(pipeline.id.as_str())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Deletes a pipeline that the transaction holds, unless a job of it is not done. False if one is not.
pub async fn delete_pipeline(connection: &mut AnyConnection, id: &str) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query(
        "UPDATE pipelines SET status = 'Deleted' WHERE id = $1 AND NOT EXISTS
         (SELECT 1 FROM jobs WHERE pipeline_id = $1 AND status IN ('Submitted', 'Progressing'))",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// How many pipelines there are that are not deleted.
pub async fn count_pipelines(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM pipelines WHERE status <> 'Deleted'").fetch_one(connection).await?;
    row.try_get(0)
}

/// A page of all pipelines.
pub async fn pipelines(connection: &mut AnyConnection, slice: Slice<'_>) -> Result<Page<Pipeline>, sqlx::Error> {
    let statement = if slice.ascending {
        "SELECT document FROM pipelines WHERE status <> 'Deleted' AND id > $1 ORDER BY id LIMIT $2"
    } else {
        "SELECT document FROM pipelines WHERE status <> 'Deleted' AND id < $1 ORDER BY id DESC LIMIT $2"
    };
    let rows = sqlx::query(statement).bind(slice.bound()).bind(PAGE + 1).fetch_all(connection).await?;
    let rows = rows.iter().map(|row| decode(row.try_get("document")?)).collect::<Result<Vec<Pipeline>, _>>()?;
    Ok(page(rows, |pipeline| &pipeline.id))
}

async fn read(
    connection: &mut AnyConnection,
    statement: &'static str,
    id: &str,
) -> Result<Option<Pipeline>, sqlx::Error> {
    let row = sqlx::query(statement).bind(id).fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}
