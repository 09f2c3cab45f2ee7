//! A way between SNS and the endpoint that gives some posts again, late and to the letter.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use reqwest::Client;
use tokio::net::TcpListener;

/// What comes again comes within this time.
const LATE_MS: u64 = 4_000;

/// A running one.
pub struct Repeater {
    url: String,
    way: Way,
}

#[derive(Clone)]
struct Way {
    client: Client,
    target: Arc<str>,
    repeated: Arc<AtomicUsize>,
    /// Posts that are still to be given again.
    waiting: Arc<AtomicUsize>,
}

impl Repeater {
    /// Listens on a free port for what is meant for `target`.
    pub async fn start(target: &str) -> Self {
        let way =
            Way { client: Client::new(), target: target.into(), repeated: Arc::default(), waiting: Arc::default() };
        let router = Router::new().route("/", post(pass)).with_state(way.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, way }
    }

    /// What SNS is to post to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether nothing more comes but what SNS posts.
    pub fn is_idle(&self) -> bool {
        self.way.waiting.load(Ordering::SeqCst) == 0
    }

    /// How many posts were given a second time, and taken.
    pub fn repeated(&self) -> usize {
        self.way.repeated.load(Ordering::Relaxed)
    }
}

async fn pass(State(way): State<Way>, mut headers: HeaderMap, body: Bytes) -> StatusCode {
    headers.remove(header::HOST);
    if fastrand::u8(..4) == 0 {
        let (way, headers, body) = (way.clone(), headers.clone(), body.clone());
        way.waiting.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..LATE_MS))).await;
            if way.post(headers, body).await.is_success() {
                way.repeated.fetch_add(1, Ordering::Relaxed);
            }
            way.waiting.fetch_sub(1, Ordering::SeqCst);
        });
    }
    way.post(headers, body).await
}

impl Way {
    /// An endpoint that is being killed is one that SNS finds away, and tries again.
    async fn post(&self, headers: HeaderMap, body: Bytes) -> StatusCode {
        let sent = self.client.post(&*self.target).headers(headers).body(body).send().await;
        sent.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status())
    }
}
