//! An HTTP endpoint that notes what it is sent, checks each signature, and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use ::sns::{Envelope, Settings, Verifier};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use local_cloud::SnsTimes;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use crate::world::World;

/// How long anything may take that is bound to happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the endpoint answers a notification; whatever else it is sent is fine.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// One after the other; then 200.
    Statuses(Vec<u16>),
    Never,
}

pub struct Subscriber {
    pub url: String,
    state: Arc<Mutex<Inside>>,
    serving: JoinHandle<()>,
}

/// One post.
#[derive(Clone, Debug)]
pub struct Seen {
    pub headers: HeaderMap,
    pub body: String,
    pub at: Instant,
    /// What was answered.
    pub status: u16,
}

struct Inside {
    answer: Answer,
    seen: Vec<Seen>,
}

/// Waiting that is over soon.
pub fn hurried() -> SnsTimes {
    SnsTimes { second: Duration::from_millis(10), answer: Duration::from_secs(2), ..SnsTimes::default() }
}

/// Asks again and again, for as long as it may take.
pub async fn until<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: it did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn kind(&self) -> &str {
        self.header("x-amz-sns-message-type").unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The message of a notification; it must be genuine.
    pub async fn message(&self, world: &World) -> String {
        verify(&self.body, &world.endpoint).await;
        self.json()["Message"].as_str().unwrap().to_owned()
    }
}

/// Panics unless the signature fits and comes from there.
pub async fn verify(envelope: &str, endpoint: &str) {
    let envelope = Envelope::decode(envelope.as_bytes()).unwrap();
    let mut settings = Settings::new([envelope.topic_arn().parse().unwrap()]);
    settings.local_endpoint = Some(endpoint.parse().unwrap());
    let verifier = Verifier::new(settings).unwrap();
    verifier.verify(&envelope, OffsetDateTime::now_utc()).await.unwrap();
}

impl Subscriber {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(Inside { answer: Answer::Status(200), seen: Vec::new() }));
        let router = Router::new().fallback(take).with_state(state.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("http://{address}/hook?a=b"), state, serving }
    }

    pub fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// Stops listening: connections are refused from now on.
    pub async fn stop(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }

    /// All posts of one kind.
    pub fn seen(&self, kind: &str) -> Vec<Seen> {
        self.state.lock().unwrap().seen.iter().filter(|seen| seen.kind() == kind).cloned().collect()
    }

    pub async fn wait_for(&self, kind: &str, count: usize) -> Vec<Seen> {
        until(kind, async || Some(self.seen(kind)).filter(|seen| seen.len() >= count)).await
    }

    /// Subscribes the endpoint and gives back the ARN; it is not confirmed.
    pub async fn ask(&self, world: &World, topic: &str, attributes: &[(&str, &str)]) -> String {
        let sns = world.sns();
        let mut request = sns.subscribe().topic_arn(topic).protocol("http").endpoint(&self.url);
        for (name, value) in attributes {
            request = request.attributes(*name, *value);
        }
        request.return_subscription_arn(true).send().await.unwrap().subscription_arn.unwrap()
    }

    /// The token that came last.
    pub async fn token(&self) -> String {
        let seen = self.wait_for("SubscriptionConfirmation", 1).await;
        seen.last().unwrap().json()["Token"].as_str().unwrap().to_owned()
    }

    /// Subscribes the endpoint and confirms that.
    pub async fn subscribe(&self, world: &World, topic: &str, attributes: &[(&str, &str)]) -> String {
        let arn = self.ask(world, topic, attributes).await;
        let confirmed = world.sns().confirm_subscription().topic_arn(topic).token(self.token().await).send().await;
        assert_eq!(confirmed.unwrap().subscription_arn(), Some(arn.as_str()));
        arn
    }
}

async fn take(State(state): State<Arc<Mutex<Inside>>>, headers: HeaderMap, body: String) -> StatusCode {
    let is_notification = headers.get("x-amz-sns-message-type").is_some_and(|kind| kind == "Notification");
    let status = {
        let mut inside = state.lock().unwrap();
        let status = match &mut inside.answer {
            _ if !is_notification => 200,
            Answer::Status(status) => *status,
            Answer::Statuses(statuses) if statuses.is_empty() => 200,
            Answer::Statuses(statuses) => statuses.remove(0),
            Answer::Never => 0,
        };
        inside.seen.push(Seen { headers, body, at: Instant::now(), status });
        status
    };
    match StatusCode::from_u16(status) {
        Ok(status) => status,
        Err(_) => std::future::pending().await,
    }
}
