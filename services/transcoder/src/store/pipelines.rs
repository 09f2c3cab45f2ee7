//! Pipelines.

use elastic_transcoder::Pipeline;
use sqlx::{AnyConnection, Row};

use super::{PAGE, Page, Slice, decode, encode, page};

/// Stores a new pipeline. A unique violation means that its id is taken.
pub async fn create_pipeline(connection: &mut AnyConnection, pipeline: &Pipeline) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO pipelines (id, document) VALUES ($1, $2)")
        .bind(pipeline.id.as_str())
        .bind(encode(pipeline)?)
        .execute(connection)
        .await
        .map(|_| ())
}

/// One pipeline.
pub async fn find_pipeline(connection: &mut AnyConnection, id: &str) -> Result<Option<Pipeline>, sqlx::Error> {
    let row = sqlx::query("SELECT document FROM pipelines WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}

/// A page of all pipelines.
pub async fn pipelines(connection: &mut AnyConnection, slice: Slice<'_>) -> Result<Page<Pipeline>, sqlx::Error> {
    let statement = if slice.ascending {
        "SELECT document FROM pipelines WHERE id > $1 ORDER BY id LIMIT $2"
    } else {
        "SELECT document FROM pipelines WHERE id < $1 ORDER BY id DESC LIMIT $2"
    };
    let rows = sqlx::query(statement).bind(slice.bound()).bind(PAGE + 1).fetch_all(connection).await?;
    let rows = rows.iter().map(|row| decode(row.try_get("document")?)).collect::<Result<Vec<Pipeline>, _>>()?;
    Ok(page(rows, |pipeline| &pipeline.id))
}
