//! The part of a transcoder that others see: it makes each job once, and tells of it more than once and in no order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_sns::{Client, types::PublishBatchRequestEntry};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

/// Within this time the events of a job come in any order, and among those of other jobs.
const DISORDER_MS: u64 = 3_000;

/// A running one.
pub struct Transcoder {
    url: String,
    state: Jobs,
}

/// Jobs by their idempotency keys, and where their events go.
#[derive(Clone)]
struct Jobs {
    by_token: Arc<Mutex<HashMap<String, String>>>,
    repeated: Arc<AtomicUsize>,
    /// Events that are still to be published.
    waiting: Arc<AtomicUsize>,
    events: mpsc::UnboundedSender<Value>,
}

impl Transcoder {
    /// Listens on a free port and publishes on `topic`.
    pub async fn start(sns: Client, topic: &'static str) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let state = Jobs { by_token: Arc::default(), repeated: Arc::default(), waiting: Arc::default(), events };
        let router = Router::new()
            .route("/2012-09-25/pipelines", get(pipelines))
            .route("/2012-09-25/jobs", post(create))
            .route("/2012-09-25/jobs/{id}", get(read))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        tokio::spawn(publish(sns, topic, queue, state.waiting.clone()));
        Self { url, state }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many jobs were made.
    pub fn jobs(&self) -> usize {
        self.state.by_token.lock().unwrap().len()
    }

    /// Whether all events of the jobs are published.
    pub fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::SeqCst) == 0
    }

    /// How many events were published a second time, under another message id.
    pub fn repeated(&self) -> usize {
        self.state.repeated.load(Ordering::Relaxed)
    }
}

async fn pipelines() -> Json<Value> {
    Json(json!({ "Pipelines": [{ "Id": "1690000000000-pip001", "Name": "segue" }] }))
}

/// A job that runs tells of its end itself, so nobody else has to.
async fn read(Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "Job": { "Id": id, "Status": "Progressing" } }))
}

async fn create(State(jobs): State<Jobs>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let token = headers["x-amz-client-token"].to_str().unwrap().to_owned();
    let request: Value = serde_json::from_str(&body).unwrap();
    let mut known = jobs.by_token.lock().unwrap();
    let number = known.len();
    let id = known.entry(token).or_insert_with(|| {
        let id = format!("1700000000000-{number:06x}");
        jobs.tell(&id, &request);
        id
    });
    (StatusCode::CREATED, Json(json!({ "Job": { "Id": id } })))
}

impl Jobs {
    /// Each event once or twice, each at a moment of its own.
    fn tell(&self, id: &str, request: &Value) {
        for state in ["PROGRESSING", "COMPLETED"] {
            let times = if fastrand::u8(..3) == 0 { 2 } else { 1 };
            self.repeated.fetch_add(times - 1, Ordering::Relaxed);
            self.waiting.fetch_add(times, Ordering::SeqCst);
            for _ in 0..times {
                let (event, events) = (event(id, state, request), self.events.clone());
                let pause = Duration::from_millis(fastrand::u64(..DISORDER_MS));
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    // Nobody listens any more when the test is over.
                    let _ = events.send(event);
                });
            }
        }
    }
}

fn event(id: &str, state: &str, request: &Value) -> Value {
    let output = json!({ "id": "1", "presetId": "1351620000001-300110", "key": "audio.flac", "status": "Complete" });
    json!({
        "state": state, "version": "2012-09-25", "jobId": id, "pipelineId": "1690000000000-pip001",
        "outputKeyPrefix": request["OutputKeyPrefix"], "outputs": [output], "userMetadata": request["UserMetadata"],
    })
}

/// As many at a time as one call takes.
async fn publish(sns: Client, topic: &str, mut queue: mpsc::UnboundedReceiver<Value>, waiting: Arc<AtomicUsize>) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, 10).await > 0 {
        let count = batch.len();
        let entries = batch.drain(..).enumerate().map(|(index, event)| {
            let entry = PublishBatchRequestEntry::builder().id(index.to_string());
            entry.message(event.to_string()).build().unwrap()
        });
        let request = sns.publish_batch().topic_arn(topic).set_publish_batch_request_entries(Some(entries.collect()));
        assert!(request.send().await.unwrap().failed().is_empty());
        waiting.fetch_sub(count, Ordering::SeqCst);
    }
}
