//! Transcode requests.

use std::collections::BTreeMap;

use common::{
    FileId, Filename, Names, Profile, Timestamp, TranscodeRequest, UserId, event::V1, names::TRANSCODE_REQUESTS,
};
use database::Database;
use queue::{Outbox, Outgoing, Target};
use sqlx::{Any, AnyConnection, Transaction};

use crate::{keys, store::drives};

/// Puts requests into the outbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Requests {
    outbox: Outbox,
    target: Target,
}

impl Requests {
    /// Requests for the queue of this deployment.
    pub fn new(outbox: Outbox, names: &Names) -> Self {
        Self { outbox, target: Target::Queue(names.full(TRANSCODE_REQUESTS)) }
    }

    /// Asks for a file to be transcoded, in the caller's transaction.
    pub async fn put(
        &self,
        connection: &mut AnyConnection,
        file_id: FileId,
        owner: UserId,
        filename: Filename,
        profile: Profile,
    ) -> Result<(), sqlx::Error> {
        let request = TranscodeRequest {
            v: V1,
            file_id,
            owner,
            filename,
            profile,
            input_key: keys::input(file_id),
            output_prefix: keys::output_prefix(file_id),
        };
        let outgoing = Outgoing {
            target: self.target.clone(),
            subject: None,
            body: request.encode(),
            attributes: BTreeMap::new(),
        };
        self.outbox.put(connection, &outgoing).await
    }

    /// Commits, and has what was put sent.
    pub async fn commit(&self, transaction: Transaction<'_, Any>) -> Result<(), sqlx::Error> {
        self.outbox.commit(transaction).await
    }

    /// Asks again for files that have stayed queued for too long; the worker makes no second job.
    pub async fn drive(&self, database: &Database, now: Timestamp) -> anyhow::Result<()> {
        let mut transaction = database.begin().await?;
        let stuck = drives::claim(&mut transaction, now).await?;
        let count = stuck.len();
        for file in stuck {
            self.put(&mut transaction, file.id, file.owner, file.filename, file.profile).await?;
        }
        self.commit(transaction).await?;
        if count > 0 {
            tracing::info!(count, "queued files have not moved; their requests are sent again");
        }
        Ok(())
    }
}
