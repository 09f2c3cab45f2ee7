//! A running messages-api.

use std::time::Duration;

use common::{
    FileId, FileState, ResultError, Timestamp, TranscodeResult,
    event::V1,
    names::{RESULTS, RESULTS_MESSAGES},
};
use messages_api::{Config, StreamArgs};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use testing::{Issuer, TestDatabase, World, eventually};

use crate::events::Events;

/// How long anything may take to come through.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Service {
    pub world: World,
    pub issuer: Issuer,
    pub database: TestDatabase,
    pub config: Config,
    base: String,
    client: reqwest::Client,
}

impl Service {
    pub async fn start() -> Self {
        Self::start_on(TestDatabase::sqlite(), StreamArgs::default()).await
    }

    /// One on each kind of database.
    pub async fn each() -> Vec<Self> {
        let mut services = Vec::new();
        for database in testing::databases().await {
            services.push(Self::start_on(database, StreamArgs::default()).await);
        }
        services
    }

    pub async fn start_on(database: TestDatabase, streams: StreamArgs) -> Self {
        let (world, issuer) = (World::start().await, Issuer::new());
        let config = Config { database: database.args(), auth: issuer.auth_args(), streams, consumer_concurrency: 10 };
        let routes = messages_api::start(config.clone(), world.platform()).await.unwrap();
        let base = world.serve(routes).await;
        Self { world, issuer, database, config, base, client: reqwest::Client::new() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub fn get(&self, user: &str, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(self.issuer.token(user))
    }

    pub async fn json(&self, user: &str, path: &str) -> Value {
        let response = self.get(user, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub async fn post(&self, user: &str, path: &str) -> reqwest::Response {
        self.request(Method::POST, path).bearer_auth(self.issuer.token(user)).send().await.unwrap()
    }

    /// Opens the stream, after the event of this id if there is one.
    pub async fn stream(&self, user: &str, last: Option<&str>) -> Events {
        let mut request = self.get(user, "/v1/messages/stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Events::new(response)
    }

    /// Publishes to the topic `results`, as notification-ingest does.
    pub async fn publish(&self, body: &str) {
        let (aws, names) = (self.world.aws(), self.world.names());
        let queue = queue::find::queue(&aws.sqs, names, RESULTS_MESSAGES).await.unwrap();
        let topic = queue::find::topic_arn(&aws.sqs, names, RESULTS, &queue).await.unwrap();
        aws.sns.publish().topic_arn(topic).message(body).send().await.unwrap();
    }

    /// Has a file of `owner` end well, and waits until the owner's notices are `total`.
    pub async fn complete(&self, owner: &str, filename: &str, total: usize) {
        self.publish(&result(owner, filename, FileState::Complete).encode()).await;
        self.wait_for(owner, total).await;
    }

    pub async fn wait_for(&self, owner: &str, total: usize) -> Vec<Value> {
        eventually(PATIENCE, || async {
            let list = self.json(owner, "/v1/messages?status=all&limit=100").await;
            list["items"].as_array().filter(|items| items.len() >= total).cloned()
        })
        .await
    }

    pub async fn unread(&self, user: &str) -> i64 {
        self.json(user, "/v1/messages/unread-count").await["unread"].as_i64().unwrap()
    }
}

pub fn result(owner: &str, filename: &str, state: FileState) -> TranscodeResult {
    let error = (state == FileState::Error)
        .then(|| ResultError { code: 4000, message: "The file could not be read as audio or video.".to_owned() });
    TranscodeResult {
        v: V1,
        job_id: "1700000000000-abc123".to_owned(),
        file_id: FileId::generate(),
        owner: owner.parse().unwrap(),
        filename: filename.parse().unwrap(),
        state,
        progress: None,
        warning: None,
        outputs: Vec::new(),
        error,
        at: Timestamp::now(),
    }
}
