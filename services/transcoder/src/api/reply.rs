//! Replies: JSON with a request id, and errors in the form that SDKs read.

use axum::Json;
use axum::extract::{FromRequestParts, Query};
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
        let mut response = (status, Json(json!({ "message": self.error.message }))).into_response();
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

/// A successful reply.
pub fn reply(status: StatusCode, body: &impl Serialize) -> Reply {
    Ok(with_id((status, Json(body)).into_response(), &Uuid::new_v4().to_string()))
}

/// 202, as the three deleting operations answer.
pub fn accepted() -> Reply {
    reply(StatusCode::ACCEPTED, &json!({ "Success": "true" }))
}

/// Reads a request's body, whatever content type it names.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::serialization(match error.classify() {
            serde_json::error::Category::Data if error.to_string().contains("invalid type: map") => {
                "Start of structure or map found where not expected.".to_owned()
            }
            serde_json::error::Category::Data if error.to_string().contains("invalid type: sequence") => {
                "Start of list found where not expected.".to_owned()
            }
            _ => format!("The request body is not the JSON that this operation takes: {error}."),
        })
    })
}

fn with_id(mut response: Response, request_id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
