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

/// 415: a body in a content coding. The answer says that none is taken (RFC 9110, 12.5.3).
pub fn encoded() -> Problem {
    let detail = "Send the file's bytes as they are, without a Content-Encoding.";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
        .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

/// 422 with a sentence that came from a check.
pub fn unprocessable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail)
}

/// 408: the body stopped coming.
pub fn idle() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body stopped coming.")
}

/// 408: the body comes so slowly that others wait for its place.
pub fn slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body comes too slowly.")
}

/// 429: as many bodies of this user are arriving as one may send.
pub fn too_many(per_user: u32) -> Problem {
    let detail = format!("You are uploading {per_user} files already. Wait until one of them has arrived.");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-uploads", detail).header(header::RETRY_AFTER, RETRY_AFTER)
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
