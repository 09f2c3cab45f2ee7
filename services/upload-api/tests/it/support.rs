//! A running service, and ways to look at what it did.

use std::time::{Duration, Instant};

use common::{FileId, FileState, OutputResult, OutputState, Profile, Timestamp, TranscodeResult, event::V1};
use database::Kind;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::Value;
use sqlx::{AnyConnection, Connection, Executor};
use testing::{Issuer, TestDatabase, World, eventually};
use upload_api::Config;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const MIB: usize = 1024 * 1024;

/// One service on a world and a database of its own.
pub struct App {
    pub world: World,
    pub database: TestDatabase,
    pub issuer: Issuer,
    pub base: String,
    pub client: Client,
}

/// One service on SQLite and one on PostgreSQL.
pub async fn apps() -> Vec<App> {
    let mut apps = Vec::new();
    for database in testing::databases().await {
        apps.push(App::start(database, |_| {}).await);
    }
    apps
}

/// One service on SQLite, for what does not depend on the database.
pub async fn app(adjust: impl FnOnce(&mut Config)) -> App {
    App::start(TestDatabase::sqlite(), adjust).await
}

impl App {
    pub async fn start(database: TestDatabase, adjust: impl FnOnce(&mut Config)) -> Self {
        let (world, issuer) = (World::start().await, Issuer::new());
        let mut config = Config::new(database.args(), issuer.auth_args());
        adjust(&mut config);
        let routes = upload_api::start(config, world.platform()).await.unwrap();
        let base = world.serve(routes).await;
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { world, database, issuer, base, client }
    }

    /// A second process on the same tables and the same world; nobody asks its routes anything.
    pub async fn start_again(&self) {
        let config = Config::new(self.database.args(), self.issuer.auth_args());
        drop(upload_api::start(config, self.world.platform()).await.unwrap());
    }

    pub fn request(&self, method: Method, user: &str, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(self.issuer.token(user))
    }

    pub async fn get(&self, user: &str, path: &str) -> Response {
        self.request(Method::GET, user, path).send().await.unwrap()
    }

    pub async fn delete(&self, user: &str, path: &str) -> Response {
        self.request(Method::DELETE, user, path).send().await.unwrap()
    }

    /// Sends a raw body.
    pub async fn post(&self, user: &str, query: &str, body: impl Into<reqwest::Body>) -> Response {
        self.request(Method::POST, user, &format!("/v1/files{query}")).body(body).send().await.unwrap()
    }

    /// Uploads something that passes for media; gives its id.
    pub async fn upload(&self, user: &str, filename: &str) -> FileId {
        let url = format!("/v1/files?filename={filename}");
        let response = self.request(Method::POST, user, &url).body(media(100)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        id(&response.json().await.unwrap())
    }

    pub async fn file(&self, user: &str, id: FileId) -> Value {
        let response = self.get(user, &format!("/v1/files/{id}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// Waits until the file looks as wanted.
    pub async fn file_when(&self, id: FileId, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(PATIENCE, || async { Some(self.file("alice", id).await).filter(|file| wanted(file)) }).await
    }

    /// Runs a statement on the service's tables.
    pub async fn sql(&self, statement: &str) -> u64 {
        let mut connection = self.connection().await;
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let affected = connection.execute(statement).await.unwrap().rows_affected();
        connection.close().await.unwrap();
        affected
    }

    pub async fn count(&self, table: &str) -> i64 {
        let mut connection = self.connection().await;
        let statement = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let count = sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count
    }

    async fn connection(&self) -> AnyConnection {
        let mut connection = AnyConnection::connect(self.database.args().url.expose()).await.unwrap();
        if self.database.kind() == Kind::Postgres {
            connection.execute("SET search_path TO upload_api").await.unwrap();
        }
        connection
    }

    pub async fn put(&self, key: &str, body: Vec<u8>) {
        let put = self.world.aws().s3.put_object().bucket(self.world.bucket()).key(key).body(body.into());
        put.send().await.unwrap();
    }

    pub async fn object(&self, key: &str) -> Vec<u8> {
        let get = self.world.aws().s3.get_object().bucket(self.world.bucket()).key(key).send().await.unwrap();
        get.body.collect().await.unwrap().to_vec()
    }

    pub async fn keys(&self) -> Vec<String> {
        let list = self.world.aws().s3.list_objects_v2().bucket(self.world.bucket()).send().await.unwrap();
        list.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    pub async fn uploads_in_parts(&self) -> usize {
        let list = self.world.aws().s3.list_multipart_uploads().bucket(self.world.bucket()).send().await.unwrap();
        list.uploads().len()
    }

    /// What is left in S3 and in the tables, in words; empty when nothing is.
    pub async fn leftovers(&self) -> Vec<String> {
        let mut left = self.keys().await;
        left.extend((0..self.uploads_in_parts().await).map(|_| "an upload in parts".to_owned()));
        for table in ["files", "outputs", "uploads", "outbox"] {
            let count = self.count(table).await;
            left.extend((count > 0).then(|| format!("{count} rows in {table}")));
        }
        left
    }

    /// Fails unless nothing is left, soon: what follows an answer may take a moment.
    pub async fn assert_clean(&self, case: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.leftovers().await;
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{case}: left {left:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn queue_url(&self, full_name: &str) -> String {
        let url = self.world.aws().sqs.get_queue_url().queue_name(full_name).send().await.unwrap();
        url.queue_url.unwrap()
    }

    pub async fn send_result(&self, body: &str) {
        let url = self.queue_url(&self.world.names().full("results-uploads")).await;
        self.world.aws().sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    /// Messages in a queue, hidden ones included.
    pub async fn in_queue(&self, url: &str) -> u64 {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible,
        };
        let names = vec![ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let request = self.world.aws().sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names));
        request.send().await.unwrap().attributes.unwrap().values().map(|value| value.parse::<u64>().unwrap()).sum()
    }

    /// Receives one message and deletes it.
    pub async fn receive(&self, full_name: &str) -> String {
        let (sqs, url) = (&self.world.aws().sqs, self.queue_url(full_name).await);
        eventually(PATIENCE, || async {
            let received = sqs.receive_message().queue_url(&url).wait_time_seconds(1).send().await.unwrap();
            let message = received.messages.unwrap_or_default().into_iter().next()?;
            let handle = message.receipt_handle.unwrap();
            sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
            message.body
        })
        .await
    }
}

/// Bytes that are not text.
pub fn media(length: usize) -> Vec<u8> {
    let mut bytes = b"ID3\x04\0\0\0\0\0\0".to_vec();
    bytes.extend((0_u32..).flat_map(u32::to_le_bytes).take(length.saturating_sub(bytes.len())));
    bytes.truncate(length);
    bytes
}

pub fn id(file: &Value) -> FileId {
    file["id"].as_str().unwrap().parse().unwrap()
}

/// A result whose outputs, all three, are in `output`.
pub fn result(id: FileId, state: FileState, output: OutputState) -> TranscodeResult {
    let outputs = Profile::Audio.outputs().iter().map(|spec| OutputResult {
        key: format!("transcoded/{id}/{}", spec.file_name()),
        preset_id: spec.preset_id.to_owned(),
        state: output,
        duration_ms: (output == OutputState::Complete).then_some(1042),
        size: (output == OutputState::Complete).then_some(2048),
        error: None,
    });
    TranscodeResult {
        v: V1,
        job_id: "1700000000000-abc123".to_owned(),
        file_id: id,
        owner: "alice".parse().unwrap(),
        filename: "song.mp3".parse().unwrap(),
        state,
        progress: None,
        warning: None,
        outputs: outputs.collect(),
        error: None,
        at: Timestamp::now(),
    }
}

/// The problem's detail, after its status and form were checked.
pub async fn detail(response: Response, status: u16) -> String {
    let found = response.status().as_u16();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    assert_eq!(content_type, "application/problem+json");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().unwrap().to_owned()
}
