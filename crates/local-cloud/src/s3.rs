//! S3 over plain files and SQLite.
//!
//! The protocol is s3s's; what is kept, and how, is ours. An object is a row and a list of segment
//! files that never change once the row names them: a multipart upload's parts become its segments.

mod checksum;
mod chunks;
mod conditions;
mod cors;
mod document;
mod fault;
mod files;
mod gate;
mod intake;
mod listing;
mod meta;
mod notifications;
mod objects;
mod operations;
mod outlet;
mod reclaim;
mod settings;
mod uploads;

use std::{path::Path, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, request::Parts};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    auth::{S3Auth, SecretKey},
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use uuid::Uuid;

use self::{
    fault::Fault,
    files::Files,
    notifications::Notifier,
    operations::{Operations, RequestId},
    reclaim::Reclaim,
};
use crate::{Context, sns::Sns, sqs::Sqs};

/// Tables of this service.
pub(crate) const SCHEMA: &[&str] = &[objects::SCHEMA, uploads::SCHEMA, settings::SCHEMA];

/// The service.
pub(crate) struct S3 {
    context: Arc<Context>,
    service: S3Service,
}

/// Looks up secrets for s3s, which does the signatures.
struct Keys(Arc<Context>);

impl S3 {
    /// Opens the directory of object content and clears up what a crash left there.
    pub(crate) fn open(context: Arc<Context>, objects: &Path, sqs: Arc<Sqs>, sns: Arc<Sns>) -> std::io::Result<Self> {
        let files = Arc::new(Files::open(objects.to_owned())?);
        files.sweep(&context.store).map_err(|fault| match fault {
            Fault::Io(error) => error,
            Fault::Store(error) => std::io::Error::other(error),
            Fault::Client(error) => std::io::Error::other(error),
            Fault::Full(full) => std::io::Error::other(full),
        })?;
        let reclaim = Reclaim::start(files.clone())?;
        let notifier = Notifier::new(context.clone(), sqs, sns);
        let mut builder = S3ServiceBuilder::new(Operations { context: context.clone(), files, reclaim, notifier });
        builder.set_auth(Keys(context.clone()));
        let mut config = S3Config::default();
        config.xml_max_body_size = document::LIMIT;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Ok(Self { context, service: builder.build() })
    }

    /// Answers one request.
    pub(crate) async fn call(&self, mut request: Request) -> Response {
        let id = Uuid::new_v4().simple().to_string();
        let header = HeaderValue::from_str(&id);
        request.extensions_mut().insert(RequestId(id));
        let (parts, body) = request.into_parts();
        let mut response = self.answer(parts, body).await;
        if let Ok(id) = header {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }

    async fn answer(&self, parts: Parts, body: Body) -> Response {
        if cors::is_preflight(&parts) {
            return cors::preflight(&self.context, &parts).await.unwrap_or_else(refusal);
        }
        let shared = match cors::headers_for(&self.context, &parts).await {
            Ok(headers) => headers,
            Err(error) => return refusal(error),
        };
        let mut response = self.perform(parts, body).await;
        cors::add(response.headers_mut(), shared);
        response
    }

    async fn perform(&self, parts: Parts, body: Body) -> Response {
        if let Err(error) = gate::check(&parts, &self.context.region) {
            return refusal(error);
        }
        let body = match s3_body(&parts, body).await {
            Ok(body) => body,
            Err(error) => return refusal(error),
        };
        match self.service.call(http::Request::from_parts(parts, body)).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::error!(?error, "an S3 request could not be answered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

fn refusal(error: S3Error) -> Response {
    match error.to_http_response() {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn s3_body(parts: &Parts, body: Body) -> Result<s3s::Body, S3Error> {
    let hash = parts.headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !hash.starts_with("STREAMING-") {
        return match document::is_content(parts) {
            true => Ok(s3s::Body::http_body_unsync(body)),
            false => Ok(document::read(parts, body).await?.into()),
        };
    }
    let signed = !hash.starts_with("STREAMING-UNSIGNED-");
    let cut = chunks::cut(body.into_data_stream(), signed);
    let frames = futures::TryStreamExt::map_ok(cut, http_body::Frame::data);
    Ok(s3s::Body::http_body_unsync(http_body_util::StreamBody::new(frames)))
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret = self.0.credentials.secret(access_key);
        secret.map(SecretKey::from).ok_or_else(|| {
            S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records.",
            )
        })
    }
}
