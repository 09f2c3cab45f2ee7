//! Custom presets.

use common::Timestamp;
use elastic_transcoder::Preset;
use sqlx::{AnyConnection, Row};

use super::{PAGE, Slice, decode, encode};

/// Stores a new preset. A unique violation means that its id is taken.
pub async fn create_preset(connection: &mut AnyConnection, preset: &Preset) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO presets (id, document) VALUES ($1, $2)")
        .bind(preset.id.as_str())
        .bind(encode(preset)?)
        .execute(connection)
        .await
        .map(|_| ())
}

/// One preset that is not deleted.
pub async fn find_preset(connection: &mut AnyConnection, id: &str) -> Result<Option<Preset>, sqlx::Error> {
    let query = sqlx::query("SELECT document FROM presets WHERE id = $1 AND deleted_at IS NULL").bind(id);
    let row = query.fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}

/// One preset for a job that came when it was not deleted yet.
pub async fn find_preset_of_job(connection: &mut AnyConnection, id: &str) -> Result<Option<Preset>, sqlx::Error> {
    let row = sqlx::query("SELECT document FROM presets WHERE id = $1").bind(id).fetch_optional(connection).await?;
    row.map(|row| decode(row.try_get("document")?)).transpose()
}

/// Deletes a preset. False when there is none of that id.
pub async fn delete_preset(connection: &mut AnyConnection, id: &str, now: Timestamp) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query("UPDATE presets SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL")
        .bind(now.as_millis())
        .bind(id)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() == 1)
}

/// How many presets there are that are not deleted.
pub async fn count_presets(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT COUNT(*) FROM presets WHERE deleted_at IS NULL").fetch_one(connection).await?;
    row.try_get(0)
}

/// The presets that follow, one more than a page has at most.
pub async fn presets(connection: &mut AnyConnection, slice: Slice<'_>) -> Result<Vec<Preset>, sqlx::Error> {
    let statement = if slice.ascending {
        "SELECT document FROM presets WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2"
    } else {
        "SELECT document FROM presets WHERE deleted_at IS NULL AND id < $1 ORDER BY id DESC LIMIT $2"
    };
    let rows = sqlx::query(statement).bind(slice.bound()).bind(PAGE + 1).fetch_all(connection).await?;
    rows.iter().map(|row| decode(row.try_get("document")?)).collect()
}
