//! Every request carries a signature of a known key over its whole body.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use elastic_transcoder::{ApiError, ErrorCode};
use http_body_util::{BodyExt, Limited};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::Api;
use super::reply::Fault;

/// The name under which clients sign.
const SERVICE: &str = "elastictranscoder";
/// A job with the most and longest members that are allowed has less than half of this.
const MAX_BODY: usize = 1024 * 1024;
/// How long a body may take to come: nobody is known before it is here.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Reads the body, checks the signature, and passes both on.
pub async fn verify(State(api): State<Api>, request: Request, next: Next) -> Response {
    match checked(&api, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => Fault::from(error).into_response(),
    }
}

async fn checked(api: &Api, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    let body = match timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(ApiError::serialization(format!("The request body is larger than {MAX_BODY} bytes.")));
        }
        Ok(Err(_)) => return Err(ApiError::serialization("The request body broke off.")),
        Err(_) => return Err(ApiError::serialization("The request body did not come in time.")),
    };
    // Inside a nested router the URI lacks the prefix, which is signed too.
    let routed = parts.uri.clone();
    if let Some(OriginalUri(original)) = parts.extensions.get::<OriginalUri>() {
        parts.uri = original.clone();
    }
    sigv4::verify(&parts, &body, SERVICE, &api.inner.keys, OffsetDateTime::now_utc())
        .map_err(|error| refused(&error))?;
    parts.uri = routed;
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn refused(error: &sigv4::Error) -> ApiError {
    let code = match error {
        sigv4::Error::MissingAuthenticationToken => ErrorCode::MissingAuthenticationToken,
        sigv4::Error::IncompleteSignature(_) => ErrorCode::IncompleteSignature,
        _ => ErrorCode::AccessDenied,
    };
    ApiError::new(code, error.to_string())
}
