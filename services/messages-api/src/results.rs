//! From a result on the queue to a notice.

use common::{
    Timestamp, TranscodeResult,
    event::{DecodeError, Event},
};
use queue::{Failure, Handler, Message};

use crate::{hub::Hub, notice::NewNotice, store::Store};

/// Handles the queue `results-messages`.
pub struct Results {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
}

impl Handler for Results {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        match Event::decode(&message.body).map_err(Failure::reject)? {
            Event::TranscodeResult(result) => Ok(self.tell(&result).await?),
            Event::FileDeleted(deleted) => Ok(self.store.mute(deleted.file_id, Timestamp::now()).await?),
            Event::TranscodeRequest(_) => Err(Failure::reject(DecodeError::Kind)),
        }
    }

    async fn ready(&self) -> bool {
        self.store.ping().await.is_ok()
    }
}

impl Results {
    async fn tell(&self, result: &TranscodeResult) -> Result<(), sqlx::Error> {
        let Some(notice) = NewNotice::of(result) else { return Ok(()) };
        let file_id = result.file_id;
        match self.store.add(&notice, Timestamp::now()).await? {
            Some(head) => {
                self.hub.publish(&notice.owner, head);
                tracing::info!(%file_id, kind = notice.kind, "notice stored");
            }
            None => tracing::debug!(%file_id, "the owner has been told already, or deleted the file"),
        }
        Ok(())
    }
}
