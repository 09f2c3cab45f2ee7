//! Consumes results: moves files forward.

use common::{
    OutputState, Timestamp, TranscodeResult,
    event::{DecodeError, Event},
};
use database::Database;
use queue::{Failure, Handler, Message};

use crate::{
    state::Wake,
    storage::Storage,
    store::{deletions, results},
};

/// Applies each result of the queue `results-uploads` to its file.
pub struct Results {
    /// The service's tables.
    pub database: Database,
    /// The bucket.
    pub storage: Storage,
    /// Wakes the task that removes objects.
    pub purge: Wake,
}

impl Handler for Results {
    async fn handle(&self, message: &Message) -> Result<(), Failure> {
        let event = Event::decode(&message.body).map_err(Failure::reject)?;
        queue::about_event(&event);
        match event {
            Event::TranscodeResult(result) => Ok(self.apply(result).await?),
            // It was this service that said so; and webhooks are no business of files.
            Event::FileDeleted(_) | Event::WebhookDisabled(_) => Ok(()),
            Event::TranscodeRequest(_) => Err(Failure::reject(DecodeError::Kind)),
        }
    }

    async fn ready(&self) -> bool {
        self.database.ping().await.is_ok()
    }
}

impl Results {
    async fn apply(&self, mut result: TranscodeResult) -> anyhow::Result<()> {
        self.measure(&mut result).await?;
        let now = Timestamp::now();
        let mut transaction = self.database.begin().await?;
        let moved = results::apply(&mut transaction, &result, now).await?;
        // The outputs of a deleted file were made after its objects were removed.
        let deleted = !moved && deletions::purge_again(&mut transaction, result.file_id, now).await?;
        transaction.commit().await?;
        if deleted {
            self.purge.wake();
        }
        if !moved {
            tracing::debug!(file_id = %result.file_id, state = %result.state, deleted, "a result that changes nothing");
        }
        Ok(())
    }

    /// The transcoder need not say how large an output is.
    async fn measure(&self, result: &mut TranscodeResult) -> anyhow::Result<()> {
        let unknown =
            |output: &&mut common::OutputResult| output.state == OutputState::Complete && output.size.is_none();
        for output in result.outputs.iter_mut().filter(unknown) {
            output.size = self.storage.size(&output.key).await?.and_then(|size| size.try_into().ok());
        }
        Ok(())
    }
}
