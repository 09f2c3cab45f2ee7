//! The service, started on a world of its own, and ways to feed it and to look at what came of it.

use std::time::Duration;

use common::{FileId, JobMetadata, TranscodeResult, names};
use database::Database;
use notification_ingest::Config;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testing::{Issuer, TestDatabase, World, eventually};

use crate::signer::Signer;

pub const PATIENCE: Duration = Duration::from_secs(60);
/// What the topic's ARN in a world is.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:segue-transcoder-events";

/// Who runs the deployment.
pub const OPERATOR: &str = "root";

pub struct Rig {
    pub world: World,
    pub signer: Signer,
    pub issuer: Issuer,
    pub client: Client,
    url: String,
    rows: Database,
    database: TestDatabase,
}

/// A job of ours.
pub struct Job {
    pub id: String,
    pub file_id: FileId,
}

impl Job {
    pub fn new() -> Self {
        let file_id = FileId::generate();
        Self { id: format!("job-{file_id}"), file_id }
    }

    /// The transcoder's text for an event of this job.
    pub fn event(&self, state: &str) -> String {
        let metadata = JobMetadata {
            file_id: self.file_id,
            owner: "alice".parse().unwrap(),
            filename: "song.mp3".parse().unwrap(),
        };
        let status = if state == "COMPLETED" { "Complete" } else { "Progressing" };
        json!({
            "state": state, "version": "2012-09-25", "jobId": self.id, "pipelineId": "1690000000000-pip001",
            "outputKeyPrefix": "transcoded/f/", "userMetadata": metadata.to_pairs(),
            "outputs": [{"id": "1", "presetId": "1351620000001-300110", "key": "audio.flac", "status": status}],
        })
        .to_string()
    }

    /// The same, as an unsigned message of the expected topic with an id of its own.
    pub fn message(&self, state: &str) -> Value {
        Signer::notification(TOPIC, &self.event(state))
    }
}

impl Rig {
    /// The service on `database`; the test's own signer is its local SNS.
    pub async fn start(database: TestDatabase) -> Self {
        Self::start_with(database, |_| ()).await
    }

    /// The same with other settings.
    pub async fn start_with(database: TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        Self::build(database, |config, _| change(config)).await
    }

    /// The service on `database`; local-cloud is its local SNS.
    pub async fn start_on_local_cloud(database: TestDatabase) -> Self {
        Self::build(database, |config, world| {
            config.sns_local_endpoint = Some(world.endpoint().parse().unwrap());
        })
        .await
    }

    async fn build(database: TestDatabase, change: impl FnOnce(&mut Config, &World)) -> Self {
        let (world, signer, issuer) = (World::start().await, Signer::start().await, Issuer::new());
        let mut config = config(&database, &signer, &issuer);
        change(&mut config, &world);
        let routes = notification_ingest::start(config, world.platform()).await.unwrap();
        let base = world.serve(routes).await;
        let migrations = sqlx::migrate!("./migrations");
        let rows = Database::connect(&database.args(), "notification_ingest", &migrations).await.unwrap();
        let url = format!("{base}/v1/notifications/sns");
        Self { world, signer, issuer, client: Client::new(), url, rows, database }
    }

    /// Posts go from now on to another process on the same tables, which remembers nothing of them but what these hold.
    pub async fn elsewhere(&mut self) {
        let config = config(&self.database, &self.signer, &self.issuer);
        let routes = notification_ingest::start(config, self.world.platform()).await.unwrap();
        self.url = format!("{}/v1/notifications/sns", self.world.serve(routes).await);
    }

    /// A post as SNS makes it, with a text of the caller's.
    pub fn post(&self, topic: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let post = self.client.post(&self.url).header("x-amz-sns-topic-arn", topic);
        post.header("content-type", "text/plain; charset=UTF-8").body(body)
    }

    /// Any other request to the endpoint.
    pub fn request(&self, method: reqwest::Method) -> RequestBuilder {
        self.client.request(method, &self.url)
    }

    /// A request of a user to any route.
    pub fn ask(&self, method: reqwest::Method, path: &str, user: &str) -> RequestBuilder {
        let url = self.url.replace("/v1/notifications/sns", path);
        self.client.request(method, url).bearer_auth(self.issuer.token(user))
    }

    /// Runs a statement on the service's tables.
    pub async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.rows.pool()).await.unwrap();
    }

    /// What the operator sees of what was rejected; `query` begins with `?` or is empty.
    pub async fn rejected(&self, query: &str) -> Value {
        let url = self.url.replace("/sns", "/rejected") + query;
        let response = self.client.get(url).bearer_auth(self.issuer.token(OPERATOR)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }

    /// The route of what was rejected, as anybody asks it.
    pub async fn rejected_as(&self, token: Option<String>) -> StatusCode {
        let request = self.client.get(self.url.replace("/sns", "/rejected"));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        request.send().await.unwrap().status()
    }

    /// Posts a message under the topic that it names.
    pub async fn deliver(&self, message: &Value) -> StatusCode {
        let topic = message["TopicArn"].as_str().unwrap();
        self.post(topic, message.to_string()).send().await.unwrap().status()
    }

    /// Puts a text into the queue, as the topic's subscription would.
    pub async fn enqueue(&self, text: &str) {
        let queue_url = self.queue_url(&self.world.names().full(names::TRANSCODER_EVENTS)).await;
        self.world.aws().sqs.send_message().queue_url(queue_url).message_body(text).send().await.unwrap();
    }

    pub async fn queue_url(&self, name: &str) -> String {
        self.world.aws().sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }

    /// Takes messages out of a queue until `done` says that there are enough.
    pub async fn take_until(&self, name: &str, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        let queue_url = self.queue_url(name).await;
        let sqs = &self.world.aws().sqs;
        let mut bodies = Vec::new();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !done(&bodies) {
            assert!(tokio::time::Instant::now() < deadline, "{name} has only {bodies:?}");
            let request = sqs.receive_message().queue_url(&queue_url).max_number_of_messages(10).wait_time_seconds(1);
            for message in request.send().await.unwrap().messages.unwrap_or_default() {
                let receipt = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(&queue_url).receipt_handle(receipt).send().await.unwrap();
                bodies.push(message.body.unwrap());
            }
        }
        bodies
    }

    /// Everything that the subscribers of the results were told up to now: an event of another job is sent after it
    /// and its result, which each of them gets last, is left out.
    pub async fn results(&self) -> Vec<TranscodeResult> {
        let last = Job::new();
        let sent = self.signer.sign(last.message("COMPLETED"), 2);
        eventually(PATIENCE, || async { (self.count("outbox").await == 0).then_some(()) }).await;
        assert_eq!(self.deliver(&sent).await, StatusCode::OK);
        let mut told = Vec::new();
        for queue in [names::RESULTS_UPLOADS, names::RESULTS_MESSAGES] {
            let is_last = |body: &String| body.contains(&last.id);
            let name = self.world.names().full(queue);
            let bodies = self.take_until(&name, |bodies| bodies.iter().any(is_last)).await;
            let results =
                bodies.iter().filter(|body| !is_last(body)).map(|body| TranscodeResult::decode(body).unwrap());
            told.push(results.collect::<Vec<_>>());
        }
        let key = |result: &TranscodeResult| (result.job_id.clone(), result.state.as_str());
        told.iter_mut().for_each(|results| results.sort_by_key(key));
        assert_eq!(told[0], told[1], "both queues get the same");
        told.swap_remove(0)
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        sqlx::query_scalar(statement).fetch_one(self.rows.pool()).await.unwrap()
    }

    /// Nothing came of what was sent so far: no event, no job, nothing to send, nothing for the operator to read.
    pub async fn unchanged(&self, name: &str) {
        for table in ["events", "jobs", "outbox", "rejected", "rejected_counts"] {
            assert_eq!(self.count(table).await, 0, "{name}: {table}");
        }
    }

    /// The outcomes of the events of a job, oldest first.
    pub async fn outcomes(&self, job: &Job) -> Vec<String> {
        let query = sqlx::query_scalar("SELECT outcome FROM events WHERE job_id = $1 ORDER BY received_at, outcome");
        query.bind(job.id.as_str()).fetch_all(self.rows.pool()).await.unwrap()
    }
}

fn config(database: &TestDatabase, signer: &Signer, issuer: &Issuer) -> Config {
    let mut config = Config::new(database.args(), issuer.auth_args());
    config.sns_local_endpoint = Some(signer.endpoint().parse().unwrap());
    config.operators.operators = vec![OPERATOR.parse().unwrap()];
    config
}
