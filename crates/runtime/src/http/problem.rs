//! Errors as clients see them: `application/problem+json` (RFC 9457).

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

/// An answer that says what went wrong. A 5xx never shows its cause: that goes to the log, once,
/// where the request ends.
///
/// `?` on any error makes an internal one (500); whatever a client can cause gets a constructor
/// with its status, a slug that stays the same for ever, and a sentence that helps.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Arc<anyhow::Error>>,
}

impl Problem {
    /// A problem of the given status. `slug` names its kind in the member `type`
    /// (`urn:segue:problem:<slug>`) and gives the `title`; `detail` is a sentence for people.
    pub fn new(status: StatusCode, slug: &'static str, detail: impl Into<String>) -> Self {
        Self { status, slug, detail: detail.into(), headers: Vec::new(), cause: None }
    }

    /// 404. The same whether the thing is absent or another user's.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("There is no such {what}."))
    }

    /// 400 with a reason.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// 503: something that this service needs is away; trying again later may work.
    pub fn unavailable(cause: impl Into<anyhow::Error>) -> Self {
        let detail = "Something that this service needs is not available. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).because(cause)
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds a cause for the log. Clients do not see it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(Arc::new(cause.into()));
        self
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What names its kind, the same for ever.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.slug
    }

    pub(crate) fn cause(&self) -> Option<&anyhow::Error> {
        self.cause.as_deref()
    }

    /// An answer that something else made (a missing route, an extractor) as a problem.
    pub(crate) fn from_status(status: StatusCode, detail: String) -> Self {
        let slug = match status {
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
            StatusCode::UNPROCESSABLE_ENTITY => "unprocessable",
            StatusCode::REQUEST_TIMEOUT => "timeout",
            status if status.is_server_error() => "internal",
            _ => "bad-request",
        };
        Self::new(status, slug, detail)
    }

    /// The whole answer, with the id under which the log knows the request.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let title = {
            let words = self.slug.replace('-', " ");
            let mut letters = words.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        };
        let body = json!({
            "type": format!("urn:segue:problem:{}", self.slug),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "request_id": request_id,
        });
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, content_type, body.to_string()).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(cause: E) -> Self {
        let detail = "Something went wrong on our side. The request_id helps to find out what.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).because(cause)
    }
}

impl IntoResponse for Problem {
    /// The request's middleware renders it anew, with the request's id.
    fn into_response(self) -> Response {
        let mut response = self.render("");
        response.extensions_mut().insert(self);
        response
    }
}
