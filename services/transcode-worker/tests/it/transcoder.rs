//! A stand-in for the transcoder's API: two pages of pipelines, and a list of the jobs asked for.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use aws_sdk_elastictranscoder::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

pub const PIPELINE_ID: &str = "1700000000002-abcdef";
const JOB_ID: &str = "1700000000003-abcdef";

/// A job as it was asked for.
#[derive(Clone)]
pub struct Asked {
    pub token: Option<String>,
    pub body: Value,
}

#[derive(Default)]
struct Book {
    jobs: Mutex<Vec<Asked>>,
    failures: AtomicU32,
    refuses: AtomicBool,
    canceled: AtomicBool,
    runs: AtomicBool,
}

pub struct Transcoder {
    url: String,
    book: Arc<Book>,
}

impl Transcoder {
    pub async fn start() -> Self {
        let book = Arc::<Book>::default();
        let router = Router::new()
            .route("/2012-09-25/pipelines", get(pipelines))
            .route("/2012-09-25/jobs", post(create_job))
            .route("/2012-09-25/jobs/{id}", get(read_job).delete(cancel_job))
            .with_state(book.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, book }
    }

    pub fn client(&self) -> Client {
        let config = aws_sdk_elastictranscoder::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"));
        Client::from_conf(config.build())
    }

    pub fn jobs(&self) -> Vec<Asked> {
        self.book.jobs.lock().unwrap().clone()
    }

    pub fn fail_next(&self, times: u32) {
        self.book.failures.store(times, Ordering::SeqCst);
    }

    /// All jobs are cancelled, of which no notification tells.
    pub fn cancel(&self) {
        self.book.canceled.store(true, Ordering::SeqCst);
    }

    /// Jobs have begun: they cannot be cancelled.
    pub fn run(&self) {
        self.book.runs.store(true, Ordering::SeqCst);
    }

    pub fn stop_running(&self) {
        self.book.runs.store(false, Ordering::SeqCst);
    }

    pub fn is_canceled(&self) -> bool {
        self.book.canceled.load(Ordering::SeqCst)
    }

    pub fn refuse(&self) {
        self.book.refuses.store(true, Ordering::SeqCst);
    }
}

#[derive(serde::Deserialize)]
struct Page {
    #[serde(rename = "PageToken")]
    token: Option<String>,
}

async fn pipelines(Query(page): Query<Page>) -> Json<Value> {
    let pipeline = |id: &str, name: &str| json!({ "Id": id, "Name": name });
    Json(match page.token {
        None => json!({ "Pipelines": [pipeline("1700000000001-abcdef", "other")], "NextPageToken": PIPELINE_ID }),
        Some(_) => json!({ "Pipelines": [pipeline(PIPELINE_ID, "segue")], "NextPageToken": null }),
    })
}

async fn read_job(State(book): State<Arc<Book>>) -> Json<Value> {
    let status = if book.canceled.load(Ordering::SeqCst) { "Canceled" } else { "Progressing" };
    let output = json!({ "Key": "audio.wav", "PresetId": "1351620000001-300300", "Status": status });
    Json(json!({ "Job": { "Id": JOB_ID, "Status": status, "OutputKeyPrefix": "transcoded/x/", "Outputs": [output] } }))
}

async fn cancel_job(State(book): State<Arc<Book>>) -> Response {
    let left = book.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if left.is_ok() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "message": "away" }))).into_response();
    }
    if book.runs.load(Ordering::SeqCst) {
        let code = [("x-amzn-ErrorType", "ResourceInUseException")];
        return (StatusCode::CONFLICT, code, Json(json!({ "message": "it runs" }))).into_response();
    }
    book.canceled.store(true, Ordering::SeqCst);
    (StatusCode::ACCEPTED, Json(json!({ "Success": "true" }))).into_response()
}

async fn create_job(State(book): State<Arc<Book>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let left = book.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if left.is_ok() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "message": "away" }))).into_response();
    }
    if book.refuses.load(Ordering::SeqCst) {
        let code = [("x-amzn-ErrorType", "ValidationException")];
        return (StatusCode::BAD_REQUEST, code, Json(json!({ "message": "no" }))).into_response();
    }
    let token = headers.get("x-amz-client-token").map(|value| value.to_str().unwrap().to_owned());
    book.jobs.lock().unwrap().push(Asked { token, body });
    (StatusCode::CREATED, Json(json!({ "Job": { "Id": JOB_ID } }))).into_response()
}
