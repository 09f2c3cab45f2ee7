//! An endpoint that can be subscribed to a topic: `cargo run -p sns --example endpoint TOPIC_ARN`.
//!
//! It listens on 127.0.0.1:8080; something with TLS stands before it. What it does not do, because it keeps nothing,
//! is to remember the ids of messages: one that comes twice is printed twice.

use std::{io::Write, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use sns::{Envelope, Kind, Refused, Settings, Verifier};
use time::OffsetDateTime;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let topic = std::env::args().nth(1).ok_or("give the ARN of the topic")?;
    let mut settings = Settings::new([topic.parse()?]);
    settings.max_age = Duration::from_secs(600);
    let verifier = Verifier::new(settings)?;
    let router = Router::new().route("/sns", post(receive)).layer(DefaultBodyLimit::max(256 * 1024));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, router.with_state(verifier)).await?;
    Ok(())
}

/// A 5xx has SNS try again; any other refusal is final.
async fn receive(State(verifier): State<Verifier>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let named = headers.get("x-amz-sns-topic-arn").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let envelope = match Envelope::decode(&body) {
        Ok(envelope) if envelope.topic_arn() == named => envelope,
        Ok(_) => return (StatusCode::FORBIDDEN, Refused::Topic.to_string()),
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    };
    match verifier.verify(&envelope, OffsetDateTime::now_utc()).await {
        Ok(()) => {}
        Err(refused @ Refused::Unavailable(_)) => return (StatusCode::SERVICE_UNAVAILABLE, refused.to_string()),
        Err(refused) => return (StatusCode::FORBIDDEN, refused.to_string()),
    }
    let line = match envelope.kind() {
        Kind::Notification { .. } => format!("{}: {}", envelope.message_id(), envelope.message()),
        // Confirming takes the SDK: sns.confirm_subscription().topic_arn(…).token(token).
        Kind::SubscriptionConfirmation(it) => format!("confirm the subscription with the token {}", it.token),
        Kind::UnsubscribeConfirmation(_) => "unsubscribed".to_owned(),
    };
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
