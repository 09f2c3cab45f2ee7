//! One page of a bucket's keys, with prefix and delimiter.

use rusqlite::{Connection, params};

use super::fault::Fault;

/// The most that one page holds (S3 API, ListObjectsV2).
pub(super) const MAX_KEYS: usize = 1000;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_ms: i64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) common_prefixes: Vec<String>,
    /// Where the next page begins; `None` when this one is the last.
    pub(super) next: Option<Vec<u8>>,
    /// The last key or common prefix on this page.
    pub(super) last: String,
}

pub(super) struct Query<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    /// The first key that may be on the page.
    pub(super) from: Vec<u8>,
    pub(super) limit: usize,
}

/// The first key after `key`.
pub(super) fn after(key: &str) -> Vec<u8> {
    [key.as_bytes(), &[0]].concat()
}

/// The first key after all that begin with `prefix`. UTF-8 has no byte 0xFF, so that the last one
/// can always be raised.
pub(super) fn after_prefix(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = last.saturating_add(1);
    }
    bytes
}

pub(super) fn page(connection: &Connection, query: &Query<'_>) -> Result<Page, Fault> {
    let mut page = Page::default();
    let end = if query.prefix.is_empty() { vec![u8::MAX] } else { after_prefix(query.prefix) };
    let mut from = query.from.clone().max(query.prefix.as_bytes().to_vec());
    // A common prefix ends a scan: the next one begins behind it, however many keys it holds.
    while let Some(next) = scan(connection, query, &from, &end, &mut page)? {
        from = next;
    }
    Ok(page)
}

/// Adds entries up to the first common prefix and says where to go on, if anywhere.
fn scan(
    connection: &Connection,
    query: &Query<'_>,
    from: &[u8],
    end: &[u8],
    page: &mut Page,
) -> Result<Option<Vec<u8>>, Fault> {
    if query.limit == 0 {
        return Ok(None);
    }
    let left = query.limit - page.entries.len() - page.common_prefixes.len();
    let mut statement = connection.prepare_cached(
        "SELECT key, size, etag, modified_ms FROM s3_objects
         WHERE bucket = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    )?;
    let mut rows = statement.query(params![query.bucket, from, end, left + 1])?;
    while let Some(row) = rows.next()? {
        let key = String::from_utf8(row.get(0)?).map_err(std::io::Error::other)?;
        if page.entries.len() + page.common_prefixes.len() == query.limit {
            page.next = Some(key.into_bytes());
            return Ok(None);
        }
        if let Some(common) = common_prefix(&key, query.prefix, query.delimiter.unwrap_or_default()) {
            let next = after_prefix(common);
            page.last = common.to_owned();
            page.common_prefixes.push(common.to_owned());
            return Ok(Some(next));
        }
        page.last.clone_from(&key);
        page.entries.push(Entry { key, size: row.get(1)?, etag: row.get(2)?, modified_ms: row.get(3)? });
    }
    Ok(None)
}

/// The key up to and with the first delimiter behind the prefix; an empty delimiter is none.
pub(super) fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let rest = key.get(prefix.len()..).filter(|_| !delimiter.is_empty())?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}
