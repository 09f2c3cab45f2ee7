//! Files and their outputs.

use common::{FileId, FileState, Filename, OutputState, Profile, Timestamp, UserId};
use runtime::http::Limit;
use sqlx::AnyConnection;

use super::row;
use crate::keys;

/// How long a file may stay queued before its request is sent again, in milliseconds.
pub const DRIVE_AFTER_MS: i64 = 10 * 60 * 1000;
/// A cursor that is later than every file.
const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// A file that has been stored.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Its id.
    pub id: FileId,
    /// Whose it is.
    pub owner: UserId,
    /// What the owner calls it.
    pub filename: Filename,
    /// What the client said it is.
    pub content_type: String,
    /// Its length in bytes.
    pub size: i64,
    /// What it is made into.
    pub profile: Profile,
}

/// A file as its owner sees it.
#[derive(Debug, Clone)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// What the owner calls it.
    pub filename: Filename,
    /// What the client said it is.
    pub content_type: String,
    /// Its length in bytes.
    pub size: i64,
    /// What it is made into.
    pub profile: Profile,
    /// Where it is on its way.
    pub state: FileState,
    /// How far it is, in percent.
    pub progress: i64,
    /// Why it failed.
    pub error: Option<Fault>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What is made of it, in the profile's order.
    pub outputs: Vec<Output>,
}

/// One output of a file.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name in the API.
    pub name: String,
    /// Where it lies, or will lie.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// Whether it is there.
    pub state: OutputState,
    /// Its length in bytes.
    pub size: Option<i64>,
    /// How long it plays.
    pub duration_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<Fault>,
}

/// Why a file or an output failed.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The transcoder's code.
    pub code: i64,
    /// A sentence for the owner.
    pub message: String,
}

/// Adds a queued file whose outputs are all pending.
pub async fn insert(connection: &mut AnyConnection, file: &NewFile, now: Timestamp) -> Result<File, sqlx::Error> {
    sqlx::query(
        "INSERT INTO files (id, owner, filename, content_type, size, profile, state, progress,
                            created_at, updated_at, driven_at, drive_at, purge_attempts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8, $8, $9, 0)",
    )
    .bind(file.id.to_string())
    .bind(file.owner.as_str())
    .bind(file.filename.as_str())
    .bind(file.content_type.as_str())
    .bind(file.size)
    .bind(file.profile.as_str())
    .bind(FileState::Queued.as_str())
    .bind(now.as_millis())
    .bind(now.as_millis() + DRIVE_AFTER_MS)
    .execute(&mut *connection)
    .await?;
    let outputs = insert_outputs(connection, file).await?;
    Ok(File {
        id: file.id,
        filename: file.filename.clone(),
        content_type: file.content_type.clone(),
        size: file.size,
        profile: file.profile,
        state: FileState::Queued,
        progress: 0,
        error: None,
        created_at: now,
        updated_at: now,
        outputs,
    })
}

async fn insert_outputs(connection: &mut AnyConnection, file: &NewFile) -> Result<Vec<Output>, sqlx::Error> {
    let mut outputs = Vec::new();
    for (position, spec) in file.profile.outputs().iter().enumerate() {
        let output = Output {
            name: spec.name.to_owned(),
            key: keys::output(file.id, spec),
            content_type: spec.content_type.to_owned(),
            state: OutputState::Pending,
            size: None,
            duration_ms: None,
            error: None,
        };
        sqlx::query(
            "INSERT INTO outputs (file_id, name, position, key, content_type, state) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(file.id.to_string())
        .bind(output.name.as_str())
        .bind(position as i64)
        .bind(output.key.as_str())
        .bind(output.content_type.as_str())
        .bind(output.state.as_str())
        .execute(&mut *connection)
        .await?;
        outputs.push(output);
    }
    Ok(outputs)
}

/// The owner's file of this id.
pub async fn find(connection: &mut AnyConnection, owner: &UserId, id: FileId) -> Result<Option<File>, sqlx::Error> {
    // One statement reads the file and its outputs, so that they fit each other.
    let rows = sqlx::query(
        "SELECT f.id, f.filename, f.content_type, f.size, f.profile, f.state, f.progress, f.error_code,
                f.error_message, f.created_at, f.updated_at, o.name AS output_name, o.key AS output_key,
                o.content_type AS output_content_type, o.state AS output_state, o.size AS output_size,
                o.duration_ms AS output_duration_ms, o.error_code AS output_error_code,
                o.error_message AS output_error_message
         FROM files f JOIN outputs o ON o.file_id = f.id
         WHERE f.id = $1 AND f.owner = $2 AND f.deleted_at IS NULL
         ORDER BY o.position",
    )
    .bind(id.to_string())
    .bind(owner.as_str())
    .fetch_all(connection)
    .await?;
    Ok(row::files(&rows)?.pop())
}

/// The owner's files, newest first, before `cursor`; one more than `limit` if there are more.
pub async fn list(
    connection: &mut AnyConnection,
    owner: &UserId,
    cursor: Option<FileId>,
    limit: Limit,
) -> Result<Vec<File>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT f.id, f.filename, f.content_type, f.size, f.profile, f.state, f.progress, f.error_code,
                f.error_message, f.created_at, f.updated_at, o.name AS output_name, o.key AS output_key,
                o.content_type AS output_content_type, o.state AS output_state, o.size AS output_size,
                o.duration_ms AS output_duration_ms, o.error_code AS output_error_code,
                o.error_message AS output_error_message
         FROM (SELECT * FROM files WHERE owner = $1 AND deleted_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3) f
         JOIN outputs o ON o.file_id = f.id
         ORDER BY f.id DESC, o.position",
    )
    .bind(owner.as_str())
    .bind(cursor.map_or_else(|| LAST.to_owned(), |id| id.to_string()))
    .bind(limit.probe())
    .fetch_all(connection)
    .await?;
    row::files(&rows)
}
