//! `POST /v1/files`.

use axum::{
    Json,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use common::Profile;
use percent_encoding::percent_decode_str;
use runtime::{Problem, User};
use serde::Deserialize;

use super::view::FileView;
use crate::{
    body::{BodyError, Source},
    error,
    intake::Order,
    payload::{FRAME_BYTES, Payload, is_form},
    state::AppState,
};

/// The query of an upload.
#[derive(Debug, Deserialize)]
pub struct Params {
    profile: Option<String>,
    filename: Option<String>,
}

/// Takes a file as a form or as the whole body.
pub async fn create(
    State(app): State<AppState>,
    User(owner): User,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let frame = if is_form(&parts.headers) { FRAME_BYTES } else { 0 };
    let source = Source::new(&parts.headers, body, app.bounds.file_bytes.saturating_add(frame), app.bounds.pace);
    check_text(parts.uri.query().unwrap_or_default())?;
    check_encoding(&parts.headers)?;
    let profile = profile(params.profile.as_deref())?;
    // The file's limit is what its sender knows, not the body's.
    source.check_declared().map_err(|error| match error {
        BodyError::TooLarge(_) => error::too_large(app.bounds.file_bytes),
        other => other.into_problem(),
    })?;
    let place = app.intake.admit(&owner)?;
    let (payload, label) = Payload::open(&parts.headers, params.filename, source).await?;
    let file = FileView::from(app.intake.take(place, Order { owner, profile }, payload, label).await?);
    let location = format!("/v1/files/{}", file.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(file)).into_response())
}

/// A name whose bytes are no UTF-8 would be kept with its odd letters lost.
fn check_text(query: &str) -> Result<(), Problem> {
    let text = percent_decode_str(query).decode_utf8();
    text.map(|_| ())
        .map_err(|_| Problem::bad_request("The query is not UTF-8. Percent-encode the file's name as UTF-8."))
}

/// Bytes are stored as they come: those of a compressed body are no media file.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) { Ok(()) } else { Err(error::encoded()) }
}

fn profile(name: Option<&str>) -> Result<Profile, Problem> {
    let Some(name) = name else { return Ok(Profile::default()) };
    name.parse().map_err(|error| error::unprocessable(format!("There is an {error}.")))
}
