//! Placeholder until the service is written.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::Context;

pub(crate) const SCHEMA: &str = "";

pub(crate) struct Sns;

impl Sns {
    pub(crate) fn new(_context: Arc<Context>, _sqs: Arc<crate::sqs::Sqs>) -> Self {
        Self
    }

    pub(crate) async fn call(&self, _request: Request) -> Response {
        StatusCode::NOT_IMPLEMENTED.into_response()
    }
}
