//! Somebody's own system: takes posts, and answers as it is told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use testing::eventually;
use tokio::net::TcpListener;

use crate::rig::PATIENCE;

pub struct Receiver {
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    posts: Mutex<Vec<Post>>,
    status: AtomicU16,
    now: AtomicUsize,
    most: AtomicUsize,
}

/// One post as it came.
#[derive(Debug, Clone)]
pub struct Post {
    pub id: String,
    pub timestamp: String,
    pub signatures: Vec<String>,
    pub body: String,
}

/// What it asks for when it answers that it is too busy, in seconds.
pub const RETRY_AFTER: i64 = 3600;

/// A status that stands for no answer at all.
pub const SILENCE: u16 = 0;

impl Receiver {
    pub async fn start(status: u16) -> Self {
        let (posts, zero) = (Mutex::default(), AtomicUsize::default);
        let inner = Arc::new(Inner { posts, status: AtomicU16::new(status), now: zero(), most: zero() });
        let taker = inner.clone();
        let router = Router::new().fallback(move |request: Request| {
            let taker = taker.clone();
            async move { taker.take(request).await }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// What it answers from now on.
    pub fn answer(&self, status: u16) {
        self.inner.status.store(status, Ordering::SeqCst);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.inner.posts.lock().unwrap().clone()
    }

    /// The most posts that were under way at the same time.
    pub fn most(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    /// Waits for at least so many posts.
    pub async fn wait(&self, many: usize) -> Vec<Post> {
        eventually(PATIENCE, || async { Some(self.posts()).filter(|posts| posts.len() >= many) }).await
    }
}

impl Inner {
    async fn take(&self, request: Request) -> Response {
        let _under_way = UnderWay::begin(self);
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json");
        let (id, timestamp, signatures) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let signatures = signatures.split(' ').map(str::to_owned).collect();
        self.posts.lock().unwrap().push(Post { id, timestamp, signatures, body });
        let status = self.status.load(Ordering::SeqCst);
        if status == SILENCE {
            std::future::pending::<()>().await;
        }
        let mut answer = (StatusCode::from_u16(status).unwrap(), "thanks").into_response();
        if status == 429 {
            answer.headers_mut().insert("retry-after", RETRY_AFTER.into());
        }
        answer
    }
}

/// Counts a post until it is answered or its sender gives up.
struct UnderWay<'a>(&'a Inner);

impl<'a> UnderWay<'a> {
    fn begin(inner: &'a Inner) -> Self {
        let now = inner.now.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most.fetch_max(now, Ordering::SeqCst);
        Self(inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Post {
    /// Whether the key of `secret` signed it, by the words of the specification.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let text = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let tag = sign(&Key::new(HMAC_SHA256, &key), text.as_bytes());
        self.signatures.contains(&format!("v1,{}", STANDARD.encode(tag)))
    }
}
