//! From rows to files.

use std::{error::Error, str::FromStr};

use common::Timestamp;
use sqlx::{Row, any::AnyRow};

use super::{Fault, File, Output};

/// Groups rows, one for each output and ordered by file, into files.
pub fn files(rows: &[AnyRow]) -> Result<Vec<File>, sqlx::Error> {
    let mut files: Vec<File> = Vec::new();
    for row in rows {
        let id = parse(row, "id")?;
        let output = output(row)?;
        match files.last_mut() {
            Some(file) if file.id == id => file.outputs.push(output),
            _ => files.push(File { outputs: vec![output], ..file(row)? }),
        }
    }
    Ok(files)
}

fn file(row: &AnyRow) -> Result<File, sqlx::Error> {
    Ok(File {
        id: parse(row, "id")?,
        filename: parse(row, "filename")?,
        content_type: row.try_get("content_type")?,
        size: row.try_get("size")?,
        profile: parse(row, "profile")?,
        state: parse(row, "state")?,
        progress: row.try_get("progress")?,
        error: fault(row, "error_code", "error_message")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
        updated_at: Timestamp::from_millis(row.try_get("updated_at")?),
        outputs: Vec::new(),
    })
}

fn output(row: &AnyRow) -> Result<Output, sqlx::Error> {
    Ok(Output {
        name: row.try_get("output_name")?,
        key: row.try_get("output_key")?,
        content_type: row.try_get("output_content_type")?,
        state: parse(row, "output_state")?,
        size: row.try_get("output_size")?,
        duration_ms: row.try_get("output_duration_ms")?,
        error: fault(row, "output_error_code", "output_error_message")?,
    })
}

fn fault(row: &AnyRow, code: &str, message: &str) -> Result<Option<Fault>, sqlx::Error> {
    let (code, message): (Option<i64>, Option<String>) = (row.try_get(code)?, row.try_get(message)?);
    Ok(code.zip(message).map(|(code, message)| Fault { code, message }))
}

/// A text column that holds one of our types.
pub fn parse<T: FromStr<Err: Error + Send + Sync + 'static>>(row: &AnyRow, column: &str) -> Result<T, sqlx::Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(error.into()))
}
