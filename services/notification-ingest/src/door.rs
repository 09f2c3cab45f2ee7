//! `POST /v1/notifications/sns`: the one route that strangers can post to. It takes no token; the signature of SNS is
//! its guard.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use runtime::Problem;
use sdk_error::brief;
use sns::{Confirmation, Envelope, Kind, Refused, Verifier};
use time::OffsetDateTime;

use crate::{
    body,
    intake::{Arrival, Intake, IntakeError, Source},
    metrics,
};

/// The topic, so that it can be judged before the body is read (SNS Developer Guide, "HTTP/HTTPS headers").
const TOPIC_ARN: &str = "x-amz-sns-topic-arn";
/// How long confirming may take. SNS itself waits 15 seconds for an answer, and tries again.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

/// What the route needs. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    intake: Intake,
    verifier: Verifier,
    sns: aws_sdk_sns::Client,
    body_timeout: Duration,
    resubscribe: bool,
}

impl Door {
    /// A door in front of `intake`. It does not subscribe again when it is unsubscribed.
    pub const fn new(intake: Intake, verifier: Verifier, sns: aws_sdk_sns::Client, body_timeout: Duration) -> Self {
        Self { intake, verifier, sns, body_timeout, resubscribe: false }
    }

    /// The same door, which by this setting subscribes again.
    pub fn resubscribing(self, resubscribe: bool) -> Self {
        Self { resubscribe, ..self }
    }
}

/// The route. Other methods get 405 with `Allow: POST`.
pub fn router(door: Door) -> Router {
    Router::new().route("/v1/notifications/sns", post(receive)).with_state(door)
}

async fn receive(State(door): State<Door>, request: Request) -> Result<StatusCode, Problem> {
    let answer = take(&door, request).await;
    if let Err(problem) = &answer {
        door.intake.rejects().refused(problem.status());
        metrics::refused(problem.slug());
    }
    answer
}

async fn take(door: &Door, request: Request) -> Result<StatusCode, Problem> {
    let topic = topic(request.headers()).filter(|topic| door.verifier.expects(topic)).ok_or_else(wrong_topic)?;
    if !is_text(request.headers()) {
        let detail = "SNS sends text/plain; application/json is taken too.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail));
    }
    let bytes = body::read(request, door.body_timeout).await?;
    let envelope = Envelope::decode(&bytes).map_err(|error| Problem::bad_request(sentence(&error)))?;
    if envelope.topic_arn() != topic {
        return Err(wrong_topic());
    }
    door.verifier.verify(&envelope, OffsetDateTime::now_utc()).await.map_err(refuse)?;
    match envelope.kind() {
        Kind::Notification { .. } => door.accept(&envelope).await?,
        Kind::SubscriptionConfirmation(confirmation) => door.confirm(&topic, confirmation).await?,
        Kind::UnsubscribeConfirmation(confirmation) => door.unsubscribed(&topic, confirmation).await?,
    }
    Ok(StatusCode::OK)
}

impl Door {
    async fn accept(&self, envelope: &Envelope) -> Result<(), Problem> {
        let (message_id, message) = (envelope.message_id(), envelope.message());
        match self.intake.accept(Arrival { message_id, message, source: Source::Http }).await {
            Ok(_) => Ok(()),
            Err(IntakeError::Unreadable(error)) => {
                // It is genuine, so somebody with the right to publish has to be told.
                tracing::error!(message_id = envelope.message_id(), %error, "a signed message cannot be read");
                Err(Problem::bad_request(sentence(&error)))
            }
            Err(error @ IntakeError::Database(_)) => Err(Problem::unavailable(error)),
        }
    }

    /// The token of such a message takes it back (SNS Developer Guide, "Parsing message formats").
    async fn unsubscribed(&self, topic: &str, confirmation: &Confirmation) -> Result<(), Problem> {
        let again = self.resubscribe;
        tracing::warn!(topic, again, "this endpoint was unsubscribed; without it events come by the queue alone");
        if again { self.confirm(topic, confirmation).await } else { Ok(()) }
    }

    /// By the API and never by the URL in the message: only the API is sure to be that of SNS.
    async fn confirm(&self, topic: &str, confirmation: &Confirmation) -> Result<(), Problem> {
        let call = self.sns.confirm_subscription().topic_arn(topic).token(&confirmation.token).send();
        let failed = |cause: String| Problem::unavailable(anyhow::anyhow!("ConfirmSubscription failed: {cause}"));
        let answer =
            tokio::time::timeout(CONFIRM_TIMEOUT, call).await.map_err(|_| failed("no answer in time".into()))?;
        let answer = answer.map_err(|error| failed(brief(&error)))?;
        tracing::info!(topic, subscription = answer.subscription_arn(), "subscription confirmed");
        Ok(())
    }
}

/// The topic that the header names. Two headers name none: somebody else might read the other one.
fn topic(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(TOPIC_ARN).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then(|| value.to_owned())
}

fn is_text(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    ["text/plain", "application/json"].iter().any(|known| essence.eq_ignore_ascii_case(known))
}

fn wrong_topic() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "invalid-topic-arn", "not a valid SNS topic ARN")
}

fn refuse(refused: Refused) -> Problem {
    match refused {
        Refused::Topic => wrong_topic(),
        Refused::Unavailable(_) => Problem::unavailable(refused),
        _ => Problem::new(StatusCode::FORBIDDEN, "bad-signature", sentence(&refused)).because(refused),
    }
}

fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}
