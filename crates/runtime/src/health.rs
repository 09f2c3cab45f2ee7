//! `/healthz`: the process runs. `/readyz`: it can do its work.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::get};
use futures::future::{BoxFuture, join_all};
use http::StatusCode;
use serde_json::{Value, json};

/// One check takes no longer than this.
const TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// What must hold for the process to be ready. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    started: AtomicBool,
    checks: Mutex<Vec<(&'static str, Check)>>,
}

impl Health {
    /// Adds a check to `/readyz`, under the name that is shown when it fails.
    pub fn check<F, T>(&self, name: &'static str, check: F)
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.inner.checks.lock().unwrap_or_else(PoisonError::into_inner).push((name, check));
    }

    /// Start-up is over.
    pub fn started(&self) {
        self.inner.started.store(true, Ordering::Release);
    }

    /// Start-up has begun again, or the end has: not ready.
    pub fn stopping(&self) {
        self.inner.started.store(false, Ordering::Release);
    }

    /// The names of the checks that fail; `starting` before start-up is over.
    pub async fn failing(&self) -> Vec<&'static str> {
        if !self.inner.started.load(Ordering::Acquire) {
            return vec!["starting"];
        }
        let checks = self.inner.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let run = |(name, check): (&'static str, Check)| async move {
            let failed = match tokio::time::timeout(TIMEOUT, check()).await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(check = name, cause = failed, "not ready");
            Some(name)
        };
        join_all(checks.into_iter().map(run)).await.into_iter().flatten().collect()
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
            .route("/readyz", get(ready))
            .with_state(self.clone())
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let failing = health.failing().await;
    let (status, word) = match failing.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (status, Json(json!({ "status": word, "failing": failing })))
}
