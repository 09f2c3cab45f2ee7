//! The Elastic Transcoder API over HTTP: `/2012-09-25/…`, signed with SigV4.

mod auth;
mod jobs;
mod pipelines;
mod presets;
mod reply;
mod roles;
mod supported;

use std::sync::Arc;

use axum::extract::{OriginalUri, Path};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use elastic_transcoder::{API_VERSION, ApiError, Arns, ErrorCode};
use sigv4::AccessKeys;

use crate::config::Quotas;
use crate::engine::Coders;
use crate::store::Store;
use reply::{Fault, Reply};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<ApiParts>,
}

/// What the API works with.
pub struct ApiParts {
    /// The service's tables.
    pub store: Store,
    /// Makes ARNs for the region and account.
    pub arns: Arns,
    /// Whose requests are answered.
    pub keys: AccessKeys,
    /// The full name of the queue that workers listen to.
    pub jobs_queue: String,
    /// How much clients may keep.
    pub quotas: Quotas,
    /// What ffmpeg can encode here.
    pub coders: Coders,
    /// For TestRole to look at buckets.
    pub s3: aws_sdk_s3::Client,
    /// For TestRole to look at topics.
    pub sns: aws_sdk_sns::Client,
}

impl Api {
    /// An API over these parts.
    pub fn new(parts: ApiParts) -> Self {
        Self { inner: Arc::new(parts) }
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn arns(&self) -> &Arns {
        &self.inner.arns
    }

    fn account(&self) -> &str {
        self.arns().account()
    }

    fn quotas(&self) -> Quotas {
        self.inner.quotas
    }
}

/// All operations, below `/2012-09-25`.
pub fn router(api: Api) -> Router {
    let operations = Router::new()
        .route("/pipelines", post(pipelines::create).get(pipelines::list))
        .route("/pipelines/{id}", get(pipelines::read).put(pipelines::update).delete(pipelines::delete))
        .route("/pipelines/{id}/notifications", post(pipelines::update_notifications))
        .route("/pipelines/{id}/status", post(pipelines::update_status))
        .route("/jobs", post(jobs::create))
        .route("/jobs/{id}", get(jobs::read).delete(jobs::cancel))
        .route("/jobsByPipeline/{id}", get(jobs::list_by_pipeline))
        .route("/jobsByStatus/{status}", get(jobs::list_by_status))
        .route("/presets", post(presets::create).get(presets::list))
        .route("/presets/{id}", get(presets::read).delete(presets::delete))
        .route("/roleTests", post(roles::test))
        .method_not_allowed_fallback(unknown);
    Router::new()
        .nest(&format!("/{API_VERSION}"), operations)
        .route("/{version}/{*operation}", any(elsewhere))
        .layer(middleware::from_fn_with_state(api.clone(), auth::verify))
        .with_state(api)
}

async fn unknown(method: http::Method, OriginalUri(uri): OriginalUri) -> Reply {
    let text = format!("The API has no operation {method} {}.", uri.path());
    Err(Fault::from(ApiError::new(ErrorCode::UnknownOperation, text)))
}

/// A path that no operation has: of another version of the API, or of none.
async fn elsewhere(Path((version, _)): Path<(String, String)>, method: http::Method, uri: OriginalUri) -> Reply {
    if version == API_VERSION || !is_date(&version) {
        return unknown(method, uri).await;
    }
    let text = format!("The API version {version} is not supported. Use {API_VERSION}.");
    Err(Fault::from(ApiError::new(ErrorCode::IncompatibleVersion, text)))
}

/// Versions of AWS APIs are days: `2012-09-25`.
fn is_date(version: &str) -> bool {
    let shape: String = version.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00"
}
