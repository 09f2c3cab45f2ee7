//! From a result on the queue to a notice.

use common::{
    Timestamp,
    event::{DecodeError, Event},
};
use queue::{Failure, Handler, Message};

use crate::{hub::Hub, metrics, notice::NewNotice, store::Store};

/// Handles the queue `results-messages`.
pub struct Results {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
}

impl Handler for Results {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let event = Event::decode(&message.body).map_err(Failure::reject)?;
        queue::about_event(&event);
        match event {
            Event::TranscodeResult(result) => Ok(self.tell(NewNotice::of(&result)).await?),
            Event::WebhookDisabled(disabled) => Ok(self.tell(Some(NewNotice::of_webhook(&disabled))).await?),
            Event::FileDeleted(deleted) => Ok(self.store.mute(deleted.file_id, Timestamp::now()).await?),
            Event::TranscodeRequest(_) => Err(Failure::reject(DecodeError::Kind)),
        }
    }

    async fn ready(&self) -> bool {
        self.store.ping().await.is_ok()
    }
}

impl Results {
    async fn tell(&self, notice: Option<NewNotice>) -> Result<(), sqlx::Error> {
        let Some(notice) = notice else { return Ok(()) };
        let about = &notice.about;
        match self.store.add(&notice, Timestamp::now()).await? {
            Some(head) => {
                self.hub.publish(&notice.owner, head);
                metrics::stored(notice.kind);
                tracing::info!(%about, kind = notice.kind, "notice stored");
            }
            None => tracing::debug!(%about, "the owner has been told already, or deleted the file"),
        }
        Ok(())
    }
}
