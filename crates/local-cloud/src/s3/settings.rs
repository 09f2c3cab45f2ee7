//! What is set for a bucket as a whole, one JSON text for each kind of setting.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use super::fault::Fault;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS s3_bucket_settings (
    bucket TEXT NOT NULL REFERENCES s3_buckets (name) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
) STRICT, WITHOUT ROWID;
";

/// A kind of setting: its name in the table.
pub(super) trait Setting: Serialize + DeserializeOwned {
    const KIND: &'static str;
}

pub(super) fn find<S: Setting>(connection: &Connection, bucket: &str) -> Result<Option<S>, Fault> {
    let sql = "SELECT value FROM s3_bucket_settings WHERE bucket = ?1 AND kind = ?2";
    let value: Option<String> =
        connection.prepare_cached(sql)?.query_row(params![bucket, S::KIND], |row| row.get(0)).optional()?;
    Ok(value.map(|value| serde_json::from_str(&value)).transpose().map_err(std::io::Error::other)?)
}

pub(super) fn put<S: Setting>(connection: &Connection, bucket: &str, setting: &S) -> Result<(), Fault> {
    let value = serde_json::to_string(setting).map_err(std::io::Error::other)?;
    let sql = "INSERT OR REPLACE INTO s3_bucket_settings (bucket, kind, value) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute(params![bucket, S::KIND, value])?;
    Ok(())
}

pub(super) fn remove<S: Setting>(connection: &Connection, bucket: &str) -> Result<(), Fault> {
    let sql = "DELETE FROM s3_bucket_settings WHERE bucket = ?1 AND kind = ?2";
    connection.prepare_cached(sql)?.execute(params![bucket, S::KIND])?;
    Ok(())
}
