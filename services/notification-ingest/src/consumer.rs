//! Events from the queue `transcoder-events`.

use anyhow::anyhow;
use queue::{Failure, Handler, Message};
use sns::{Envelope, Kind, Refused, Verifier};
use time::OffsetDateTime;

use crate::intake::{Intake, IntakeError, Source};

/// Handles the messages that SNS put into the queue.
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

    async fn check(&self, envelope: &Envelope) -> Result<(), Failure> {
        self.verifier.check_topic(envelope).map_err(Failure::reject)?;
        if !self.verify {
            return Ok(());
        }
        match self.verifier.check_signature(envelope, OffsetDateTime::now_utc()).await {
            Err(away @ Refused::Unavailable(_)) => Err(away.into()),
            other => other.map_err(Failure::reject),
        }
    }
}

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let envelope = Envelope::decode(message.body.as_bytes()).map_err(Failure::reject)?;
        self.check(&envelope).await?;
        if !matches!(envelope.kind(), Kind::Notification { .. }) {
            return Err(Failure::reject(anyhow!("a queue's subscription is confirmed by its owner, not by a message")));
        }
        match self.intake.accept(&envelope, Source::Sqs).await {
            Ok(_) => Ok(()),
            Err(IntakeError::Unreadable(error)) => Err(Failure::reject(error)),
            Err(error @ IntakeError::Database(_)) => Err(error.into()),
        }
    }

    async fn ready(&self) -> bool {
        self.intake.ping().await.is_ok()
    }
}
