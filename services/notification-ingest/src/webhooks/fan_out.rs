//! From a result on the queue to one delivery for each webhook that wants it.

use anyhow::anyhow;
use common::{
    Timestamp, TranscodeResult,
    event::{DecodeError, Event},
};
use database::Database;
use queue::{Failure, Handler, Message};

use super::{
    Wake,
    kind::Kind,
    store::{
        deliveries::{self, New},
        hooks,
    },
};

/// The longest body that is posted. A message of SNS has no more.
const MAX_BODY: usize = 256 * 1024;

/// Handles the queue `results-webhooks`.
pub struct FanOut {
    /// The service's tables.
    pub database: Database,
    /// Wakes the courier.
    pub wake: Wake,
}

impl Handler for FanOut {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let event = Event::decode(&message.body).map_err(Failure::reject)?;
        queue::about_event(&event);
        match event {
            Event::TranscodeResult(result) => self.tell(&result).await,
            // The owner did that, and hears of this by a notice.
            Event::FileDeleted(_) | Event::WebhookDisabled(_) => Ok(()),
            Event::TranscodeRequest(_) => Err(Failure::reject(DecodeError::Kind)),
        }
    }

    async fn ready(&self) -> bool {
        self.database.ping().await.is_ok()
    }
}

impl FanOut {
    /// When this returns, each delivery is durable, and there is one for each webhook however often the result comes.
    async fn tell(&self, result: &TranscodeResult) -> Result<(), Failure> {
        let Some(kind) = Kind::of(result) else { return Ok(()) };
        let mut connection = self.database.pool().acquire().await?;
        let subscribed = hooks::subscribed(&mut connection, &result.owner).await?;
        drop(connection);
        let wanting: Vec<_> =
            subscribed.into_iter().filter(|(_, kinds)| kinds.contains(kind)).map(|(id, _)| id).collect();
        if wanting.is_empty() {
            return Ok(());
        }
        let body = kind.body(result);
        if body.len() > MAX_BODY {
            return Err(Failure::Reject(anyhow!("a result of {} bytes is too long to be posted", body.len())));
        }
        // The end of a job is told again when nobody is sure that it was told: at another time, but it is the same.
        let name = format!("{}/{}", result.job_id, result.state);
        let mut transaction = self.database.begin().await?;
        let now = Timestamp::now();
        for webhook in wanting {
            let new = New { webhook, result: &name, event: kind.as_str(), body: &body, give_up_at: None };
            if deliveries::add(&mut transaction, new, now).await?.is_some() {
                deliveries::wake(&mut transaction, webhook, now).await?;
            }
        }
        transaction.commit().await?;
        self.wake.wake();
        Ok(())
    }
}
