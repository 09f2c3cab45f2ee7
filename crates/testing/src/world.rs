//! An AWS of a test's own.

use axum::Router;
use common::Names;
use local_cloud::{LocalCloud, Settings};
use runtime::{
    Aws, Health, Platform, Shutdown,
    aws::LocalEndpoint,
    http::{self, Limits},
    provision,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A local cloud with everything provisioned, and what a service needs to start on it.
pub struct World {
    platform: Platform,
    endpoint: String,
    bucket: String,
    /// Held for its drop, after everything else.
    _directory: TempDir,
}

impl World {
    /// Starts a local cloud on a free port and makes bucket, queues, topics and subscriptions.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("a bound address"));
        let mut settings = Settings::new(directory.path());
        settings.public_endpoint.clone_from(&endpoint);
        let cloud = LocalCloud::open(settings).expect("a local cloud");
        let key = cloud.access_keys().first().cloned().expect("a key made at first start");
        let shutdown = Shutdown::new();
        http::serve(&shutdown, "local cloud", listener, cloud.router(), Limits::default());
        let aws = Aws::local(&LocalEndpoint {
            url: endpoint.clone(),
            region: "us-east-1".to_owned(),
            access_key_id: key.id,
            secret_access_key: key.secret,
        });
        let names = Names::new("segue");
        let bucket = names.bucket();
        provision::provision(&aws, &names, &bucket).await.expect("everything is provisioned");
        let platform = Platform { aws, names, shutdown, health: Health::default() };
        Self { platform, endpoint, bucket, _directory: directory }
    }

    /// What a service is started with.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The clients.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.platform.aws
    }

    /// The names of queues and topics.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.platform.names
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where the local cloud listens: `http://127.0.0.1:port`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Serves a service's routes on a free port, as its own binary would; gives back the base URL.
    pub async fn serve(&self, routes: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        self.platform.health.started();
        let router = http::finish(routes, &self.platform.health);
        http::serve(&self.platform.shutdown, "service", listener, router, Limits::default());
        format!("http://{address}")
    }
}
