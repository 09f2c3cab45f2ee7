//! The rows of multipart uploads and their parts.

use rusqlite::{Connection, OptionalExtension, Row, params};
use s3s::{S3Error, S3ErrorCode};

use super::{
    checksum::{Algorithm, Sum},
    fault::Fault,
    listing,
    meta::Meta,
    objects::{columns, read_sum},
};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS s3_uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL REFERENCES s3_buckets (name),
    key BLOB NOT NULL,
    started_ms INTEGER NOT NULL,
    meta TEXT NOT NULL,
    checksum_algorithm TEXT,
    full_object INTEGER NOT NULL -- whether the sum is over all bytes, not over the parts' sums
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS s3_uploads_by_key ON s3_uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS s3_parts (
    upload TEXT NOT NULL REFERENCES s3_uploads (id),
    number INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL,
    checksum_algorithm TEXT,
    checksum TEXT,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
";

#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) started_ms: i64,
    pub(super) meta: Meta,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) full_object: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
    pub(super) sum: Option<Sum>,
}

pub(super) fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
}

pub(super) fn insert(connection: &Connection, bucket: &str, upload: &Upload) -> Result<(), Fault> {
    let meta = serde_json::to_string(&upload.meta).map_err(std::io::Error::other)?;
    connection
        .prepare_cached(
            "INSERT INTO s3_uploads (id, bucket, key, started_ms, meta, checksum_algorithm, full_object)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            upload.id,
            bucket,
            upload.key.as_bytes(),
            upload.started_ms,
            meta,
            upload.algorithm.map(Algorithm::name),
            upload.full_object
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Option<Upload>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, key, started_ms, meta, checksum_algorithm, full_object FROM s3_uploads
         WHERE id = ?1 AND bucket = ?2 AND key = ?3",
    )?;
    let row = statement.query_row(params![id, bucket, key.as_bytes()], |row| Ok(read_upload(row))).optional()?;
    row.transpose()
}

pub(super) fn require(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload, Fault> {
    find(connection, bucket, key, id)?.ok_or_else(|| no_such_upload().into())
}

/// What a page of uploads is to hold.
pub(super) struct UploadQuery {
    pub(super) bucket: String,
    pub(super) prefix: String,
    /// Empty for none.
    pub(super) delimiter: String,
    pub(super) key_marker: String,
    /// Without one, the marker stands for all uploads of its key (S3 API, ListMultipartUploads).
    pub(super) id_marker: Option<String>,
    pub(super) limit: usize,
}

#[derive(Debug, Default)]
pub(super) struct UploadPage {
    pub(super) uploads: Vec<Upload>,
    pub(super) common_prefixes: Vec<String>,
    /// The markers of the next page, if there is one; the second is empty behind a common prefix.
    pub(super) next: Option<(String, String)>,
}

/// One page of uploads, in the order of their keys and then of their ids.
pub(super) fn page(connection: &Connection, query: &UploadQuery) -> Result<UploadPage, Fault> {
    let UploadQuery { prefix, delimiter, key_marker, limit, .. } = query;
    let (mut page, mut last) = (UploadPage::default(), (String::new(), String::new()));
    // A marker that is a common prefix stands for all keys under it: it came from a page that ended there.
    let mut from = match listing::common_prefix(key_marker, prefix, delimiter) {
        Some(common) if key_marker.starts_with(prefix) && common == key_marker => listing::after_prefix(common),
        _ => prefix.as_bytes().to_vec(),
    };
    loop {
        let room = limit - page.uploads.len() - page.common_prefixes.len();
        let found = list(connection, query, &from, room)?;
        let is_whole = found.len() <= room;
        let mut jump = None;
        for upload in found.into_iter().take(room) {
            if let Some(common) = listing::common_prefix(&upload.key, prefix, delimiter) {
                // However many uploads it stands for, the scan goes on behind them.
                jump = Some(listing::after_prefix(common));
                last = (common.to_owned(), String::new());
                page.common_prefixes.push(common.to_owned());
                break;
            }
            last = (upload.key.clone(), upload.id.clone());
            page.uploads.push(upload);
        }
        match jump {
            Some(next) => from = next,
            None => {
                page.next = (!is_whole && *limit > 0).then_some(last);
                return Ok(page);
            }
        }
    }
}

/// Up to `most` uploads, and one more if there are more, from the key `from` on and behind the markers.
fn list(connection: &Connection, query: &UploadQuery, from: &[u8], most: usize) -> Result<Vec<Upload>, Fault> {
    let end = if query.prefix.is_empty() { vec![u8::MAX] } else { listing::after_prefix(&query.prefix) };
    let (key_marker, id_marker) = (query.key_marker.as_bytes(), query.id_marker.as_deref().unwrap_or("\u{10FFFF}"));
    let mut statement = connection.prepare_cached(
        "SELECT id, key, started_ms, meta, checksum_algorithm, full_object FROM s3_uploads
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 AND (key, id) > (?4, ?5)
         ORDER BY key, id LIMIT ?6",
    )?;
    let rows = statement
        .query_map(params![query.bucket, from, end, key_marker, id_marker, most + 1], |row| Ok(read_upload(row)))?;
    rows.map(|row| row?).collect()
}

/// Puts the part in the place of whatever has its number; gives back that one's file.
pub(super) fn put_part(connection: &Connection, upload: &str, part: &Part) -> Result<Option<String>, Fault> {
    let sql = "DELETE FROM s3_parts WHERE upload = ?1 AND number = ?2 RETURNING file";
    let old = connection.prepare_cached(sql)?.query_row(params![upload, part.number], |row| row.get(0)).optional()?;
    let (algorithm, checksum) = columns(part.sum.as_ref());
    connection
        .prepare_cached(
            "INSERT INTO s3_parts (upload, number, file, size, etag, modified_ms, checksum_algorithm, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            upload,
            part.number,
            part.file,
            part.size,
            part.etag,
            part.modified_ms,
            algorithm,
            checksum
        ])?;
    Ok(old)
}

/// Parts behind the number `after`, in order.
pub(super) fn parts(connection: &Connection, upload: &str, after: i32, limit: usize) -> Result<Vec<Part>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT number, file, size, etag, modified_ms, checksum_algorithm, checksum FROM s3_parts
         WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let rows = statement.query_map(params![upload, after, limit], |row| Ok(read_part(row)))?;
    rows.map(|row| row?).collect()
}

/// Removes the upload and its parts' rows; gives back the parts' files.
pub(super) fn remove(connection: &Connection, id: &str) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached("DELETE FROM s3_parts WHERE upload = ?1 RETURNING file")?;
    let files = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.prepare_cached("DELETE FROM s3_uploads WHERE id = ?1")?.execute([id])?;
    Ok(files)
}

/// Removes all uploads of a bucket; gives back their files.
pub(super) fn remove_all(connection: &Connection, bucket: &str) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM s3_parts WHERE upload IN (SELECT id FROM s3_uploads WHERE bucket = ?1) RETURNING file",
    )?;
    let files = statement.query_map([bucket], |row| row.get(0))?.collect::<Result<_, _>>()?;
    connection.prepare_cached("DELETE FROM s3_uploads WHERE bucket = ?1")?.execute([bucket])?;
    Ok(files)
}

fn read_upload(row: &Row<'_>) -> Result<Upload, Fault> {
    let meta: String = row.get(3)?;
    let algorithm: Option<String> = row.get(4)?;
    Ok(Upload {
        id: row.get(0)?,
        key: String::from_utf8(row.get(1)?).map_err(std::io::Error::other)?,
        started_ms: row.get(2)?,
        meta: serde_json::from_str(&meta).map_err(std::io::Error::other)?,
        algorithm: algorithm.as_deref().map(Algorithm::parse).transpose()?,
        full_object: row.get(5)?,
    })
}

fn read_part(row: &Row<'_>) -> Result<Part, Fault> {
    Ok(Part {
        number: row.get(0)?,
        file: row.get(1)?,
        size: row.get(2)?,
        etag: row.get(3)?,
        modified_ms: row.get(4)?,
        sum: read_sum(row, 5)?,
    })
}
