//! Placeholder until the service is written.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::Context;

pub(crate) const SCHEMA: &str = "";

pub(crate) struct Sqs;

impl Sqs {
    pub(crate) fn new(_context: Arc<Context>) -> Self {
        Self
    }

    pub(crate) async fn call(&self, _request: Request) -> Response {
        StatusCode::NOT_IMPLEMENTED.into_response()
    }
}
