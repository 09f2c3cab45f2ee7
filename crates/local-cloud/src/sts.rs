//! STS over the query protocol: `GetCallerIdentity`, by which people and tools check that their
//! credentials work. It hands out no sessions.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use quick_xml::escape::escape;
use sigv4::AccessKeys;
use uuid::Uuid;

use crate::{Context, admission::admit, body::Unreadable};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The service.
pub(crate) struct Sts {
    context: Arc<Context>,
    keys: AccessKeys,
}

/// What a client is told when it is not told who it is.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Sts {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        let keys = context.credentials.keys().iter().map(|key| (&key.id, &key.secret)).collect();
        Self { context, keys }
    }

    /// Answers one request.
    pub(crate) async fn call(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let admitted = admit(&parts, body, ("sts", &self.context.region), &self.keys).await;
        respond(admitted.and_then(|(body, _)| self.answer(&parts, &body)))
    }

    fn answer(&self, parts: &Parts, body: &[u8]) -> Result<String, Refusal> {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let action = query.chain(form_urlencoded::parse(body)).find(|(name, _)| name == "Action");
        match action.as_ref().map(|(_, action)| action.as_ref()) {
            Some("GetCallerIdentity") => Ok(self.identity()),
            other => {
                let message = format!("The action {} is not available here.", other.unwrap_or("(none)"));
                Err(Refusal { status: 400, code: "InvalidAction", message })
            }
        }
    }

    /// Every key is the account's own: there are no users (STS API, GetCallerIdentity).
    fn identity(&self) -> String {
        let account = &self.context.account;
        format!(
            "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:root</Arn><UserId>{account}</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>",
            Uuid::new_v4()
        )
    }
}

impl From<sigv4::Error> for Refusal {
    fn from(error: sigv4::Error) -> Self {
        Self { status: error.status(), code: error.code(), message: error.to_string() }
    }
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        let (status, code) = match error {
            Unreadable::TooLarge => (413, "RequestEntityTooLarge"),
            Unreadable::Unfinished => (408, "RequestTimeout"),
        };
        Self { status, code, message: error.to_string() }
    }
}

fn respond(result: Result<String, Refusal>) -> Response {
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal { status, code, message }) => {
            let body = format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
                escape(&message),
                Uuid::new_v4()
            );
            (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body)
        }
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}
