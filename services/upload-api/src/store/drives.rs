//! Files that have not moved for too long.

use common::{FileId, Filename, Profile, Timestamp, UserId};
use sqlx::{AnyConnection, any::AnyRow};

use super::row;

/// The most files of one round.
const ROUND: i64 = 100;
/// The longest time between two requests for one file, in milliseconds.
const MAX_GAP_MS: i64 = 6 * 60 * 60 * 1000;

/// A file whose transcode request is to be sent again.
#[derive(Debug)]
pub struct Stuck {
    /// The file.
    pub id: FileId,
    /// Whose it is.
    pub owner: UserId,
    /// What the owner calls it.
    pub filename: Filename,
    /// What it is made into.
    pub profile: Profile,
}

/// Claims files that are due: queued ones, whose request may be lost, and those being transcoded, whose
/// result may be; transcode-worker answers a repeated request with the result of a job that has ended.
/// The time to the next request doubles with the file's age: a queue that is merely long must not be
/// made longer by its own delay.
pub async fn claim(connection: &mut AnyConnection, now: Timestamp) -> Result<Vec<Stuck>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE files SET driven_at = $1,
                drive_at = $1 + CASE WHEN $1 - created_at < $2 THEN $1 - created_at ELSE $2 END
         WHERE id IN (SELECT id FROM files
                      WHERE state IN ('queued', 'transcoding') AND deleted_at IS NULL AND drive_at <= $1
                      ORDER BY drive_at LIMIT $3)
           AND state IN ('queued', 'transcoding') AND deleted_at IS NULL AND drive_at <= $1
         RETURNING id, owner, filename, profile",
    )
    .bind(now.as_millis())
    .bind(MAX_GAP_MS)
    .bind(ROUND)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Stuck, sqlx::Error> {
    Ok(Stuck {
        id: row::parse(row, "id")?,
        owner: row::parse(row, "owner")?,
        filename: row::parse(row, "filename")?,
        profile: row::parse(row, "profile")?,
    })
}
