//! The Elastic Transcoder API over HTTP: `/2012-09-25/…`, signed with SigV4.

mod auth;
mod jobs;
mod pipelines;
mod presets;
mod reply;
mod supported;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use axum::{Router, extract::OriginalUri, middleware};
use elastic_transcoder::{API_VERSION, ApiError, Arns, ErrorCode};
use sigv4::AccessKeys;

use crate::store::Store;
use reply::{Fault, Reply};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    arns: Arns,
    keys: AccessKeys,
    jobs_queue: String,
}

impl Api {
    /// Over the service's tables. Jobs are announced on the queue of the full name `jobs_queue`.
    pub fn new(store: Store, arns: Arns, keys: AccessKeys, jobs_queue: String) -> Self {
        Self { inner: Arc::new(Inner { store, arns, keys, jobs_queue }) }
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn arns(&self) -> &Arns {
        &self.inner.arns
    }
}

/// All operations, below `/2012-09-25`.
pub fn router(api: Api) -> Router {
    let operations = Router::new()
        .route("/pipelines", post(pipelines::create).get(pipelines::list))
        .route("/pipelines/{id}", get(pipelines::read).put(unsupported).delete(unsupported))
        .route("/pipelines/{id}/notifications", post(unsupported))
        .route("/pipelines/{id}/status", post(unsupported))
        .route("/jobs", post(jobs::create))
        .route("/jobs/{id}", get(jobs::read).delete(jobs::cancel))
        .route("/jobsByPipeline/{id}", get(jobs::list_by_pipeline))
        .route("/jobsByStatus/{status}", get(jobs::list_by_status))
        .route("/presets", post(unsupported).get(presets::list))
        .route("/presets/{id}", delete(presets::delete).get(presets::read))
        .route("/roleTests", post(unsupported))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(middleware::from_fn_with_state(api.clone(), auth::verify))
        .with_state(api);
    Router::new().nest(&format!("/{API_VERSION}"), operations)
}

/// Operations of the API that this server does not have yet, each by its name.
async fn unsupported(method: http::Method, OriginalUri(uri): OriginalUri) -> Reply {
    let path: Vec<&str> = uri.path().split('/').skip(2).collect();
    let operation = match (method.as_str(), path.as_slice()) {
        ("PUT", ["pipelines", _]) => "UpdatePipeline",
        ("DELETE", ["pipelines", _]) => "DeletePipeline",
        ("POST", ["pipelines", _, "notifications"]) => "UpdatePipelineNotifications",
        ("POST", ["pipelines", _, "status"]) => "UpdatePipelineStatus",
        ("POST", ["presets"]) => "CreatePreset",
        ("POST", ["roleTests"]) => "TestRole",
        _ => "This operation",
    };
    Err(ApiError::validation(format!("{operation} is not supported by this server yet.")).into())
}

async fn unknown(method: http::Method, OriginalUri(uri): OriginalUri) -> Reply {
    let text = format!("The API has no operation {method} {}.", uri.path());
    Err(Fault::from(ApiError::new(ErrorCode::UnknownOperation, text)))
}
