//! Answers and errors in the XML of the query protocol.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quick_xml::escape::escape;
use uuid::Uuid;

use super::error::Error;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// What an action answers: its name and the inside of its result, if it has one.
pub(super) struct Answer {
    action: &'static str,
    result: Option<String>,
}

impl Answer {
    pub(super) fn with(action: &'static str, result: String) -> Self {
        Self { action, result: Some(result) }
    }

    pub(super) fn empty(action: &'static str) -> Self {
        Self { action, result: None }
    }
}

/// `<name>text</name>`, escaped.
pub(super) fn text(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(crate::xml::legal(text)))
}

/// `<name>…</name>` around elements.
pub(super) fn around(name: &str, inner: impl IntoIterator<Item = String>) -> String {
    let inner: String = inner.into_iter().collect();
    format!("<{name}>{inner}</{name}>")
}

/// A map of strings as `Attributes`.
pub(super) fn attributes<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let entry = |(key, value)| around("entry", [text("key", key), text("value", value)]);
    around("Attributes", pairs.into_iter().map(entry))
}

/// The answer over HTTP; a failure of ours is logged here, once.
pub(super) fn respond(result: Result<Answer, Error>) -> Response {
    let id = Uuid::new_v4().to_string();
    let (status, body) = match result {
        Ok(answer) => (StatusCode::OK, success(&answer, &id)),
        Err(error) => failure(&error, &id),
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn success(answer: &Answer, id: &str) -> String {
    let action = answer.action;
    let result = answer.result.as_ref().map(|inner| format!("<{action}Result>{inner}</{action}Result>"));
    let metadata = around("ResponseMetadata", [text("RequestId", id)]);
    format!("<{action}Response xmlns=\"{NAMESPACE}\">{}{metadata}</{action}Response>", result.unwrap_or_default())
}

fn failure(error: &Error, id: &str) -> (StatusCode, String) {
    let (fault, code, status, message) = match error {
        Error::Client { kind, message } => ("Sender", kind.code, kind.status, message.clone()),
        Error::Signature(error) => ("Sender", error.code(), error.status(), error.to_string()),
        // Of the errors that all actions have (SNS API reference, "Common Error Types").
        Error::Full(full) => ("Receiver", "ServiceUnavailable", 503, full.to_string()),
        _ => {
            tracing::error!(error = error as &dyn std::error::Error, "SNS could not do what was asked");
            ("Receiver", "InternalError", 500, "The request could not be done; try again.".to_owned())
        }
    };
    let inner = around("Error", [text("Type", fault), text("Code", code), text("Message", &message)]);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("<ErrorResponse xmlns=\"{NAMESPACE}\">{inner}{}</ErrorResponse>", text("RequestId", id)))
}
