//! Events from the queue `transcoder-events`.

use queue::{Failure, Handler, Message};
use sns::{Envelope, Kind, Refused, Verifier};
use time::OffsetDateTime;

use crate::{
    event::Event,
    intake::{Arrival, Intake, IntakeError, Source},
    store::rejected::{NewRejected, Reason},
};

/// Handles the messages that SNS put into the queue, in their envelopes or, by raw delivery, bare.
///
/// Who may send to the queue is decided by its policy, which SQS enforces: the topic alone. So the signature adds
/// nothing there and is checked only by a setting, for a queue whose policy is wider. A message's age says nothing
/// either: it may have waited here for days.
pub struct Events {
    intake: Intake,
    verifier: Verifier,
    verify: bool,
}

impl Events {
    /// A handler; `verify` has it check signatures too.
    pub const fn new(intake: Intake, verifier: Verifier, verify: bool) -> Self {
        Self { intake, verifier, verify }
    }

    /// Why a message in an envelope is not to be taken, if so. A bare one has no topic or signature to look at.
    async fn check(&self, envelope: &Envelope) -> Result<Option<(Reason, String)>, Failure> {
        if let Err(refused) = self.verifier.check_topic(envelope) {
            return Ok(Some((Reason::ForeignTopic, refused.to_string())));
        }
        if !matches!(envelope.kind(), Kind::Notification { .. }) {
            let detail = "a queue's subscription is confirmed by its owner, not by a message";
            return Ok(Some((Reason::NotANotification, detail.to_owned())));
        }
        if !self.verify {
            return Ok(None);
        }
        match self.verifier.check_signature(envelope, OffsetDateTime::now_utc()).await {
            Ok(()) => Ok(None),
            Err(away @ Refused::Unavailable(_)) => Err(away.into()),
            Err(refused) => Ok(Some((Reason::BadSignature, refused.to_string()))),
        }
    }

    async fn accept(&self, arrival: Arrival<'_>) -> Result<(), Failure> {
        match self.intake.accept(arrival).await {
            Ok(_) => Ok(()),
            Err(IntakeError::Unreadable(error)) => Err(Failure::reject(error)),
            Err(error @ IntakeError::Database(_)) => Err(error.into()),
        }
    }

    /// It goes to the dead letters, and where the operator looks.
    async fn reject(&self, message: &Message, id: &str, reason: Reason, detail: &str) -> Failure {
        let (source, body) = (Source::Sqs.as_str(), message.body.as_str());
        let rejected = NewRejected { message_id: id, source, reason, detail, body };
        match self.intake.rejects().put(rejected).await {
            Ok(()) => Failure::reject(anyhow::anyhow!("{detail}")),
            Err(error) => error.into(),
        }
    }
}

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let envelope = match Envelope::decode(message.body.as_bytes()) {
            Ok(envelope) => envelope,
            // Raw delivery leaves the envelope off; where signatures must be, there has to be one.
            Err(_) if !self.verify && Event::parse(&message.body).is_ok() => {
                let (message_id, message) = (message.id.as_str(), message.body.as_str());
                return self.accept(Arrival { message_id, message, source: Source::SqsRaw }).await;
            }
            Err(error) => return Err(self.reject(message, &message.id, Reason::Unreadable, &error.to_string()).await),
        };
        if let Some((reason, detail)) = self.check(&envelope).await? {
            return Err(self.reject(message, envelope.message_id(), reason, &detail).await);
        }
        let (message_id, message) = (envelope.message_id(), envelope.message());
        self.accept(Arrival { message_id, message, source: Source::Sqs }).await
    }

    async fn ready(&self) -> bool {
        self.intake.ping().await.is_ok()
    }
}
