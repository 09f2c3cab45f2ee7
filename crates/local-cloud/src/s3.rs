//! S3 over plain files and SQLite.

use std::{io, path::Path, sync::Arc};

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{Context, store::Store};

/// Tables of this service.
pub(crate) const SCHEMA: &str = "";

/// Makes the directories for object content and clears up after a crash.
pub(crate) fn prepare(_store: &Store, objects: &Path) -> io::Result<()> {
    std::fs::create_dir_all(objects)
}

/// The service.
pub(crate) struct S3 {
    _context: Arc<Context>,
}

impl S3 {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { _context: context }
    }

    pub(crate) async fn call(&self, _request: Request) -> Response {
        StatusCode::NOT_IMPLEMENTED.into_response()
    }
}
