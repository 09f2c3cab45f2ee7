//! The rows of buckets and objects.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{
    S3ErrorCode,
    dto::{ETag, Timestamp},
};
use time::OffsetDateTime;

use super::{
    checksum::{Algorithm, Sum},
    fault::Fault,
    meta::Meta,
};

/// Keys are blobs: SQLite compares them byte by byte, which is S3's order, and a bound for a range
/// of keys need not be valid text.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS s3_buckets (
    name TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS s3_objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL REFERENCES s3_buckets (name),
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    meta TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum TEXT,
    upload TEXT, -- the multipart upload that made it
    UNIQUE (bucket, key)
) STRICT;
CREATE TABLE IF NOT EXISTS s3_segments (
    object INTEGER NOT NULL REFERENCES s3_objects (id),
    position INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    PRIMARY KEY (object, position)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "id, size, etag, modified_ms, meta, checksum_algorithm, checksum, upload";

#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) id: i64,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) meta: Meta,
    pub(super) sum: Option<Sum>,
    pub(super) upload: Option<String>,
}

/// A file that holds a part of an object's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) file: String,
    pub(super) size: u64,
}

impl Object {
    pub(super) fn e_tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    pub(super) fn last_modified(&self) -> Timestamp {
        timestamp(self.modified_ms)
    }
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(ms: i64) -> Timestamp {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH).into()
}

pub(super) fn require_bucket(connection: &Connection, bucket: &str) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM s3_buckets WHERE name = ?1")?;
    if statement.exists([bucket])? { Ok(()) } else { Err(Fault::Client(S3ErrorCode::NoSuchBucket.into())) }
}

pub(super) fn find(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Object>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM s3_objects WHERE bucket = ?1 AND key = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let row = statement.query_row(params![bucket, key.as_bytes()], |row| Ok(read_object(row))).optional()?;
    row.transpose()
}

/// The object, or the error that says what is missing.
pub(super) fn require(connection: &Connection, bucket: &str, key: &str) -> Result<Object, Fault> {
    match find(connection, bucket, key)? {
        Some(object) => Ok(object),
        None => {
            require_bucket(connection, bucket)?;
            Err(Fault::Client(S3ErrorCode::NoSuchKey.into()))
        }
    }
}

/// The object with the files that hold it, in their order.
pub(super) fn require_with_segments(
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<(Object, Vec<Segment>), Fault> {
    let object = require(connection, bucket, key)?;
    let sql = "SELECT file, size FROM s3_segments WHERE object = ?1 ORDER BY position";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([object.id], |row| Ok(Segment { file: row.get(0)?, size: row.get(1)? }))?;
    let segments = rows.collect::<Result<_, _>>()?;
    Ok((object, segments))
}

/// Puts the object in the place of whatever is there; gives back the files that were its.
pub(super) fn replace(
    connection: &Connection,
    bucket: &str,
    key: &str,
    object: &Object,
    segments: &[Segment],
) -> Result<Vec<String>, Fault> {
    let old = remove(connection, bucket, key)?.unwrap_or_default();
    let meta = serde_json::to_string(&object.meta).map_err(std::io::Error::other)?;
    let (algorithm, checksum) = columns(object.sum.as_ref());
    connection
        .prepare_cached(
            "INSERT INTO s3_objects
             (bucket, key, size, etag, modified_ms, meta, checksum_algorithm, checksum, upload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            bucket,
            key.as_bytes(),
            object.size,
            object.etag,
            object.modified_ms,
            meta,
            algorithm,
            checksum,
            object.upload
        ])?;
    let id = connection.last_insert_rowid();
    let mut statement =
        connection.prepare_cached("INSERT INTO s3_segments (object, position, file, size) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, segment) in segments.iter().enumerate() {
        statement.execute(params![id, position, segment.file, segment.size])?;
    }
    Ok(old)
}

/// Removes the object; gives back its files, or `None` when there was no object.
pub(super) fn remove(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Vec<String>>, Fault> {
    let sql = "SELECT id FROM s3_objects WHERE bucket = ?1 AND key = ?2";
    let id: Option<i64> =
        connection.prepare_cached(sql)?.query_row(params![bucket, key.as_bytes()], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(None) };
    let mut statement = connection.prepare_cached("DELETE FROM s3_segments WHERE object = ?1 RETURNING file")?;
    let files = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.prepare_cached("DELETE FROM s3_objects WHERE id = ?1")?.execute([id])?;
    Ok(Some(files))
}

/// The two columns that hold a sum.
pub(super) fn columns(sum: Option<&Sum>) -> (Option<&'static str>, Option<&str>) {
    (sum.map(|sum| sum.algorithm.name()), sum.map(|sum| sum.value.as_str()))
}

/// The sum in two columns of a row, of which the first is at `index`.
pub(super) fn read_sum(row: &Row<'_>, index: usize) -> Result<Option<Sum>, Fault> {
    let algorithm: Option<String> = row.get(index)?;
    let value: Option<String> = row.get(index + 1)?;
    match (algorithm, value) {
        (Some(name), Some(value)) => Ok(Some(Sum { algorithm: Algorithm::parse(&name)?, value })),
        _ => Ok(None),
    }
}

fn read_object(row: &Row<'_>) -> Result<Object, Fault> {
    let meta: String = row.get(4)?;
    Ok(Object {
        id: row.get(0)?,
        size: row.get(1)?,
        etag: row.get(2)?,
        modified_ms: row.get(3)?,
        meta: serde_json::from_str(&meta).map_err(std::io::Error::other)?,
        sum: read_sum(row, 5)?,
        upload: row.get(7)?,
    })
}
