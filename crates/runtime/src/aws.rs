//! The one place where SDK clients are built.

use std::{fmt, str::FromStr, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// Connecting takes no longer than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The first byte of an answer comes within this: a long poll takes 20 s by itself.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// One try of a call, body included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Clients for the services that Segue uses. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Objects.
    pub s3: aws_sdk_s3::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Topics.
    pub sns: aws_sdk_sns::Client,
    /// Transcode jobs.
    pub transcoder: aws_sdk_elastictranscoder::Client,
    config: SdkConfig,
}

/// An endpoint that speaks for all of AWS, and the key to it: local-cloud.
#[derive(Debug, Clone)]
pub struct LocalEndpoint {
    /// For instance `http://127.0.0.1:4566`.
    pub url: String,
    /// The region in ARNs and signatures.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
}

/// A key that one API takes, where it is not the key for all: `ID:SECRET`. `Debug` does not tell the secret.
#[derive(Clone)]
pub struct ApiKey {
    id: String,
    secret: String,
}

/// Text that is no [`ApiKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not written ID:SECRET")]
pub struct InvalidApiKey;

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        match text.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
            }
            _ => Err(InvalidApiKey),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}:***)", self.id)
    }
}

impl Aws {
    /// Clients as the SDK's own variables and files say (`AWS_REGION`, `AWS_ENDPOINT_URL`, credentials).
    pub async fn from_env() -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts()).load().await;
        // A custom endpoint has no bucket subdomains.
        let path_style = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        Self::new(config, path_style)
    }

    /// Clients for a local endpoint; the environment is not read.
    #[must_use]
    pub fn local(endpoint: &LocalEndpoint) -> Self {
        let key = Credentials::new(&endpoint.access_key_id, &endpoint.secret_access_key, None, None, "local-cloud");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(endpoint.region.clone()))
            .endpoint_url(&endpoint.url)
            .credentials_provider(SharedCredentialsProvider::new(key))
            .timeout_config(timeouts())
            // Plain HTTP and no proxy: an HTTP_PROXY of the environment cannot reach this machine's loopback.
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self::new(config, true)
    }

    /// The same, with objects at another address: what presigned URLs must show to clients that
    /// reach the store by another name than the services do.
    #[must_use]
    pub fn s3_at(&self, endpoint: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).endpoint_url(endpoint).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// The same, with calls to the transcoder signed by a key of its own if there is one: Segue's transcoder knows no
    /// roles, and on AWS the key for everything else is a role's.
    #[must_use]
    pub fn signing_to_transcoder_with(mut self, key: Option<&ApiKey>) -> Self {
        if let Some(ApiKey { id, secret }) = key {
            let key = aws_sdk_elastictranscoder::config::Credentials::new(id, secret, None, None, "transcoder-key");
            let config = aws_sdk_elastictranscoder::config::Builder::from(&self.config).credentials_provider(key);
            self.transcoder = aws_sdk_elastictranscoder::Client::from_conf(config.build());
        }
        self
    }

    /// The region that the clients sign for.
    #[must_use]
    pub fn region(&self) -> &str {
        self.config.region().map_or("us-east-1", Region::as_ref)
    }

    /// Where the clients go, when it is not AWS itself.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    fn new(config: SdkConfig, path_style: bool) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style).build();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            transcoder: aws_sdk_elastictranscoder::Client::new(&config),
            config,
        }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_two_parts_and_tells_one() {
        let key: ApiKey = "ID:a:secret".parse().unwrap();
        assert_eq!((key.id.as_str(), key.secret.as_str()), ("ID", "a:secret"));
        assert!(!format!("{key:?}").contains("secret"));
        assert!(["", "ID", "ID:", ":secret"].iter().all(|text| text.parse::<ApiKey>().is_err()));
    }
}
