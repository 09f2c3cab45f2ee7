//! One endpoint for S3, SQS, SNS and Elastic Transcoder.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use local_cloud::{AccessKey, LocalCloud, Settings};
use runtime::{
    Shutdown,
    aws::LocalEndpoint,
    http::{self, Limits, reachable},
};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// What all paths of the Elastic Transcoder API begin with.
const TRANSCODER_PATH: &str = "/2012-09-25/";
/// The region of the local cloud.
const REGION: &str = "us-east-1";

/// The local cloud, with room for the transcoder's API beside it.
pub struct AwsSide {
    cloud: LocalCloud,
    url: String,
    /// Set once the transcoder has started, for which it needs the queues of this very endpoint.
    transcoder: Arc<OnceLock<Router>>,
}

impl AwsSide {
    /// Opens the data directory. `listener` is where it will be served.
    pub fn open(data_dir: &Path, listener: &TcpListener) -> anyhow::Result<Self> {
        let url = format!("http://{}", reachable(listener.local_addr()?));
        let mut settings = Settings::new(data_dir);
        REGION.clone_into(&mut settings.region);
        settings.public_endpoint.clone_from(&url);
        let cloud = LocalCloud::open(settings).context("cannot open the data directory")?;
        Ok(Self { cloud, url, transcoder: Arc::default() })
    }

    /// Serves everything that there is so far.
    pub fn serve(&self, life: &Shutdown, listener: TcpListener, limits: Limits) {
        let (transcoder, cloud) = (self.transcoder.clone(), self.cloud.router());
        let router = Router::new().fallback(move |request| dispatch(request, transcoder.clone(), cloud.clone()));
        http::serve(life, "AWS side", listener, router, limits);
    }

    /// Adds the transcoder's API.
    pub fn add_transcoder(&self, router: Router) {
        // It starts once; a second router would be a second transcoder on the same tables.
        let _ = self.transcoder.set(router);
    }

    /// Where the SDK finds it, and with which key.
    pub fn endpoint(&self) -> LocalEndpoint {
        let key = self.key();
        LocalEndpoint {
            url: self.url.clone(),
            region: REGION.to_owned(),
            access_key_id: key.id.clone(),
            secret_access_key: key.secret.clone(),
        }
    }

    /// The first of the keys that sign requests.
    pub fn key(&self) -> &AccessKey {
        // An open local cloud has one at least: it makes one when it is given none.
        &self.cloud.access_keys()[0]
    }

    /// The `export AWS_…` lines for other programs.
    pub fn exports(&self) -> String {
        self.cloud.exports()
    }
}

async fn dispatch(request: Request, transcoder: Arc<OnceLock<Router>>, cloud: Router) -> Response {
    if !request.uri().path().starts_with(TRANSCODER_PATH) {
        return cloud.oneshot(request).await.into_response();
    }
    match transcoder.get() {
        Some(router) => router.clone().oneshot(request).await.into_response(),
        // SDKs try again after a 503.
        None => (axum::http::StatusCode::SERVICE_UNAVAILABLE, "the transcoder is starting").into_response(),
    }
}
