//! A file as JSON.

use common::{FileId, FileState, Filename, OutputState, Profile, Timestamp};
use serde::Serialize;

use crate::store::{Fault, File, Output};

/// A file as its owner reads it.
#[derive(Debug, Serialize)]
pub struct FileView {
    pub id: FileId,
    filename: Filename,
    content_type: String,
    size: i64,
    profile: Profile,
    state: FileState,
    progress: i64,
    outputs: Vec<OutputView>,
    error: Option<FaultView>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct OutputView {
    name: String,
    content_type: String,
    size: Option<i64>,
    duration_ms: Option<i64>,
    state: OutputState,
    error: Option<FaultView>,
}

#[derive(Debug, Serialize)]
struct FaultView {
    code: i64,
    message: String,
}

impl From<File> for FileView {
    fn from(file: File) -> Self {
        Self {
            id: file.id,
            filename: file.filename,
            content_type: file.content_type,
            size: file.size,
            profile: file.profile,
            state: file.state,
            progress: file.progress,
            outputs: file.outputs.into_iter().map(OutputView::from).collect(),
            error: file.error.map(FaultView::from),
            created_at: file.created_at,
            updated_at: file.updated_at,
        }
    }
}

impl From<Output> for OutputView {
    fn from(output: Output) -> Self {
        Self {
            name: output.name,
            content_type: output.content_type,
            size: output.size,
            duration_ms: output.duration_ms,
            state: output.state,
            error: output.error.map(FaultView::from),
        }
    }
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code, message: fault.message }
    }
}
