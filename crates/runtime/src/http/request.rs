//! What surrounds every request: an id, a span, and one log line at its end.

use std::{panic::AssertUnwindSafe, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use tracing::{Instrument, field::Empty};
use uuid::Uuid;

use super::{Problem, measure::Measured};

/// The header that carries the request's id, in and out.
const X_REQUEST_ID: &str = "x-request-id";
/// The longest text of a foreign answer that is kept as a problem's detail.
const MAX_DETAIL: usize = 500;

/// The id under which logs know this request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The outermost middleware: gives each request an id, turns every error into a problem, logs a
/// cause once, and keeps a panic from taking the connection with it.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let expects = request.headers().contains_key(header::EXPECT);
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let measured = Measured::begin(request.method(), &route);
    // What is empty is known later: the user by the token, the others by whoever handles the request.
    let span = tracing::info_span!("request", id, method = %request.method(), route, user = Empty, file_id = Empty, job_id = Empty);
    request.extensions_mut().insert(RequestId(id.clone()));
    async move {
        let start = Instant::now();
        let result = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response =
            result.unwrap_or_else(|_| Problem::from(anyhow::anyhow!("the handler panicked")).into_response());
        let mut response = as_problem(response, &id).await;
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        // A client that was refused before it was told to continue may send its body or not: nobody
        // can tell where its next request begins (RFC 9110, 10.1.1).
        if expects && !response.status().is_success() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        measured.answered(response.status());
        let (status, ms) = (response.status().as_u16(), start.elapsed().as_millis() as u64);
        if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The caller's id, if it is one that a log can hold; else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let sane = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    given.filter(sane).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

async fn as_problem(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        match problem.cause() {
            Some(cause) if status.is_server_error() => tracing::error!(cause = format!("{cause:#}"), "request failed"),
            Some(cause) => tracing::info!(cause = format!("{cause:#}"), "request refused"),
            None => {}
        }
        return problem.render(request_id);
    }
    // Anything that is JSON already, such as the answer of /readyz, is somebody's own.
    let content_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if content_type.starts_with(b"application/") || content_type.starts_with(b"text/html") {
        return response;
    }
    foreign(response, status).await.render(request_id)
}

/// An answer that the framework made: its text says what was wrong with the request.
async fn foreign(response: Response, status: StatusCode) -> Problem {
    let (parts, body) = response.into_parts();
    let text = match body.collect().await {
        Ok(body) if status.is_client_error() => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        _ => String::new(),
    };
    let reason = status.canonical_reason().unwrap_or("The request failed");
    // Where in the framework it was noticed helps nobody.
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    let detail = if text.trim().is_empty() { format!("{reason}.") } else { text.chars().take(MAX_DETAIL).collect() };
    let mut problem = Problem::from_status(status, detail);
    for name in [header::ALLOW, header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
        if let Some(value) = parts.headers.get(&name) {
            problem = problem.header(name, value.clone());
        }
    }
    problem
}
