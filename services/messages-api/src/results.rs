//! From a result on the queue to a notice.

use common::{Timestamp, TranscodeResult};
use queue::{Failure, Handler, Message};

use crate::{hub::Hub, notice::NewNotice, store::Store};

/// Handles the queue `results-messages`.
pub struct Results {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
}

impl Handler for Results {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let result = TranscodeResult::decode(&message.body).map_err(Failure::reject)?;
        let Some(notice) = NewNotice::of(&result) else { return Ok(()) };
        let file_id = result.file_id;
        match self.store.add(&notice, Timestamp::now()).await? {
            Some(head) => {
                self.hub.publish(&notice.owner, head);
                tracing::info!(%file_id, kind = notice.kind, "notice stored");
            }
            None => tracing::debug!(%file_id, "the owner has been told already"),
        }
        Ok(())
    }

    async fn ready(&self) -> bool {
        self.store.ping().await.is_ok()
    }
}
