//! Replies: JSON with a request id, and errors in the form that SDKs read.

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query};
use axum::response::{IntoResponse, Response};
use elastic_transcoder::{ApiError, ErrorCode, ListQuery, validate};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

/// What every operation gives.
pub type Reply = Result<Response, Fault>;

/// An error reply, with its cause when that is ours.
#[derive(Debug)]
pub struct Fault {
    error: ApiError,
    cause: Option<anyhow::Error>,
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self { error, cause: None }
    }
}

/// What fails inside is a 500 that does not show why; the log does.
impl From<sqlx::Error> for Fault {
    fn from(cause: sqlx::Error) -> Self {
        let text = "The service could not answer because of an internal error. Try again.";
        Self { error: ApiError::new(ErrorCode::InternalService, text), cause: Some(cause.into()) }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let request_id = Uuid::new_v4().to_string();
        if let Some(cause) = self.cause {
            tracing::error!(aws_request_id = request_id, cause = format!("{cause:#}"), "request failed");
        }
        let code = self.error.code;
        let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // The service wrote this one member of this one error with a capital.
        let member = if code == ErrorCode::Serialization { "Message" } else { "message" };
        let mut response = (status, Json(json!({ member: self.error.message }))).into_response();
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code.as_str()));
        with_id(response, &request_id)
    }
}

/// The query string of a list operation.
pub struct Listing(pub ListQuery);

impl<S: Sync> FromRequestParts<S> for Listing {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let Ok(Query(query)) = Query::<ListQuery>::try_from_uri(&parts.uri) else {
            return Err(ApiError::validation("The query string cannot be read.").into());
        };
        validate::list(&query)?;
        Ok(Self(query))
    }
}

/// The name in the path: an id or a status.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            // Percent-encoded bytes that are no UTF-8.
            Err(_) => Err(ApiError::validation("The name in the path cannot be read.").into()),
        }
    }
}

/// A successful reply.
pub fn reply(status: StatusCode, body: &impl Serialize) -> Reply {
    Ok(with_id((status, Json(body)).into_response(), &Uuid::new_v4().to_string()))
}

/// 202, as the three deleting operations answer.
pub fn accepted() -> Reply {
    reply(StatusCode::ACCEPTED, &json!({ "Success": "true" }))
}

/// What the service's framework said of a value of another kind than a text. The first text was seen in replies of
/// this service, the others in those of services with the same framework.
const WRONG_KINDS: [(&str, &str); 5] = [
    ("invalid type: map", "Start of structure or map found where not expected."),
    ("invalid type: sequence", "Start of list found where not expected."),
    ("invalid type: integer", "NUMBER_VALUE can not be converted to a String"),
    ("invalid type: floating point", "NUMBER_VALUE can not be converted to a String"),
    ("invalid type: boolean", "BOOLEAN_VALUE can not be converted to a String"),
];

/// Reads a request's body, whatever content type it names.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would read the members of a list in the order in which they are declared.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::serialization("Start of list found where not expected."));
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let known = WRONG_KINDS.iter().find(|(kind, _)| text.contains(kind)).filter(|_| error.is_data());
        ApiError::serialization(known.map_or_else(
            || format!("The request body is not the JSON that this operation takes: {text}."),
            |(_, said)| (*said).to_owned(),
        ))
    })
}

fn with_id(mut response: Response, request_id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
