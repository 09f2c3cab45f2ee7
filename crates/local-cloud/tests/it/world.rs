//! A cloud of its own for each test.

use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use http_server::Limits;
use local_cloud::{AccessKey, LocalCloud, Settings, SnsTimes};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A `LocalCloud` on a free port over a directory that goes away with it.
pub struct World {
    pub endpoint: String,
    pub key: AccessKey,
    directory: TempDir,
    times: SnsTimes,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(SnsTimes::default()).await
    }

    /// One whose SNS waits for other times than usual.
    pub async fn with(times: SnsTimes) -> Self {
        Self::over(tempfile::tempdir().unwrap(), times).await
    }

    /// Ends this one and starts another over the same directory.
    pub async fn restart(self) -> Self {
        let Self { directory, times, stop, served, .. } = self;
        stop.send(()).unwrap();
        served.await.unwrap();
        Self::over(directory, times).await
    }

    async fn over(directory: TempDir, times: SnsTimes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let settings =
            Settings { public_endpoint: endpoint.clone(), sns_times: times.clone(), ..Settings::new(directory.path()) };
        // Opening waits for what the one before is just ending, which goes on in this very runtime.
        let cloud = tokio::task::spawn_blocking(|| LocalCloud::open(settings)).await.unwrap().unwrap();
        let key = cloud.access_keys()[0].clone();
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(http_server::serve(listener, cloud.router(), Limits::default(), stopped));
        Self { endpoint, key, directory, times, stop, served }
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn config(&self) -> SdkConfig {
        config(&self.endpoint, &self.key)
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3(&self.config())
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config())
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config())
    }
}

/// What an SDK client needs to reach a cloud.
pub fn config(endpoint: &str, key: &AccessKey) -> SdkConfig {
    let credentials = Credentials::new(&key.id, &key.secret, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}
