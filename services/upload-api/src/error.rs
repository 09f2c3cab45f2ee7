//! What clients are told when a body cannot be taken.

use std::fmt::Display;

use axum::http::{HeaderValue, StatusCode, header};
use runtime::Problem;

/// Seconds after which a client may try again when all places are taken.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// 413: over the limit.
pub fn too_large(limit: u64) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("The file is larger than {limit} bytes."))
}

/// 422: nothing to transcode.
pub fn empty() -> Problem {
    unprocessable("The file is empty.")
}

/// 415: refused before it takes a transcoder's time.
pub fn text() -> Problem {
    let detail = "This looks like text, not audio or video.";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
}

/// 422 with a sentence that came from a check.
pub fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail)
}

/// 408: the body stopped coming.
pub fn idle() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body stopped coming.")
}

/// 503: as many bodies are arriving as this process takes.
pub fn busy() -> Problem {
    let detail = "Too many files are being uploaded. Try again in a moment.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).header(header::RETRY_AFTER, RETRY_AFTER)
}

/// 409: the output is not there (yet).
pub fn not_complete(state: common::OutputState) -> Problem {
    let detail = format!("This output cannot be downloaded: its state is {state}.");
    Problem::new(StatusCode::CONFLICT, "not-complete", detail)
}

/// An error's words as a sentence for people.
pub fn sentence(error: &impl Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}
