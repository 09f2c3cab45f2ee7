//! The table of what was rejected.

use std::collections::BTreeMap;

use common::Timestamp;
use runtime::http::Limit;
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use uuid::Uuid;

/// A cursor that is later than every row.
const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";
/// The most bytes of a body that are kept; enough to see what it is.
const MAX_BODY: usize = 16 * 1024;

/// Why something was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Neither an envelope nor a transcoder's event.
    Unreadable,
    /// A transcoder's event of a job that is not ours.
    ForeignJob,
    /// A message of a topic that is not expected.
    ForeignTopic,
    /// From a queue whose messages must be signed, and it is not, or not well.
    BadSignature,
    /// Genuine, and neither a notification nor anything that the queue should carry.
    NotANotification,
}

impl Reason {
    /// Its word in the table and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::ForeignJob => "foreign_job",
            Self::ForeignTopic => "foreign_topic",
            Self::BadSignature => "bad_signature",
            Self::NotANotification => "not_a_notification",
        }
    }
}

/// What is kept of it.
#[derive(Debug, Clone, Copy)]
pub struct NewRejected<'a> {
    /// The sender's id of the message, or else the queue's.
    pub message_id: &'a str,
    /// How it came.
    pub source: &'a str,
    /// Why it was rejected.
    pub reason: Reason,
    /// The same in words.
    pub detail: &'a str,
    /// What came; of a long one its beginning.
    pub body: &'a str,
}

/// A row as it is shown.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Rejected {
    /// Its id here; ids sort by time.
    pub id: String,
    /// The sender's id of the message, or else the queue's.
    pub message_id: String,
    /// How it came: `http`, `sqs` or `sqs_raw`.
    pub source: String,
    /// See [`Reason`].
    pub reason: String,
    /// The same in words.
    pub detail: String,
    /// What came, up to 16 KiB of it.
    pub body: String,
    /// How many bytes came.
    pub size: i64,
    /// When it came.
    pub received_at: Timestamp,
}

/// Keeps and counts it. False if it is there already: a message that comes again is one message.
pub async fn put(connection: &mut AnyConnection, new: NewRejected<'_>, now: Timestamp) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO rejected (id, message_id, source, reason, detail, body, size, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (source, message_id) DO NOTHING",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(storable(new.message_id))
    .bind(new.source)
    .bind(new.reason.as_str())
    .bind(storable(new.detail))
    .bind(storable(new.body))
    .bind(i64::try_from(new.body.len()).unwrap_or(i64::MAX))
    .bind(now.as_millis())
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO rejected_counts (reason, total) VALUES ($1, 1)
         ON CONFLICT (reason) DO UPDATE SET total = rejected_counts.total + 1",
    )
    .bind(new.reason.as_str())
    .execute(connection)
    .await?;
    Ok(true)
}

/// Up to [`MAX_BODY`] bytes; PostgreSQL stores no NUL.
fn storable(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_BODY.min(text.len()));
    text[..end].replace('\0', "\u{fffd}")
}

/// Removes all but the newest `keep`.
pub async fn trim(connection: &mut AnyConnection, keep: u32) -> Result<u64, sqlx::Error> {
    sqlx::query("DELETE FROM rejected WHERE id <= (SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET $1)")
        .bind(i64::from(keep))
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
}

/// Newest first, before `cursor`; one more than `limit` if there are more.
pub async fn list(
    connection: &mut AnyConnection,
    cursor: Option<Uuid>,
    limit: Limit,
) -> Result<Vec<Rejected>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, message_id, source, reason, detail, body, size, received_at
         FROM rejected WHERE id < $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(cursor.map_or_else(|| LAST.to_owned(), |id| id.to_string()))
    .bind(limit.probe())
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// How many there ever were of each reason, removed ones too.
pub async fn counts(connection: &mut AnyConnection) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let rows = sqlx::query("SELECT reason, total FROM rejected_counts").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("reason")?, row.try_get("total")?))).collect()
}

fn read(row: &AnyRow) -> Result<Rejected, sqlx::Error> {
    Ok(Rejected {
        id: row.try_get("id")?,
        message_id: row.try_get("message_id")?,
        source: row.try_get("source")?,
        reason: row.try_get("reason")?,
        detail: row.try_get("detail")?,
        body: row.try_get("body")?,
        size: row.try_get("size")?,
        received_at: Timestamp::from_millis(row.try_get("received_at")?),
    })
}
