//! The older query protocol: a form in, XML out. botocore before 1.31.81 and other SDKs of before
//! November 2023 speak it (SQS developer guide, "Making Query API requests").
//!
//! Nothing is done twice: a form becomes the JSON that the operation reads, its JSON answer becomes XML.

mod form;
mod xml;

use axum::http::request::Parts;
use serde_json::Value;

use super::error::{Error, kind};

pub(super) use xml::respond;

/// An operation and its parameters.
pub(super) struct Query {
    pub(super) operation: String,
    /// As the body of a JSON request.
    pub(super) body: Vec<u8>,
}

/// Reads the query of a GET and the body of a POST. A request to the path of a queue need not name
/// it again.
pub(super) fn parse(parts: &Parts, body: &[u8]) -> Result<Query, Error> {
    let mut parameters = form::parse(parts.uri.query().unwrap_or_default().as_bytes(), body)?;
    let operation = match parameters.remove("Action") {
        Some(Value::String(action)) => action,
        _ => return Err(Error::client(kind::MISSING_ACTION, "The request must contain the parameter Action.")),
    };
    let path = parts.uri.path();
    if path.trim_matches('/').contains('/') {
        parameters.entry("QueueUrl").or_insert_with(|| path.into());
    }
    let body = serde_json::to_vec(&parameters).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Query { operation, body })
}
