//! What is asked of the other services: to transcode a file, or to forget it.

use std::collections::BTreeMap;

use common::{
    FileDeleted, FileId, Filename, Names, Profile, Timestamp, TranscodeRequest, UserId, event::V1,
    names::TRANSCODE_REQUESTS,
};
use database::Database;
use queue::{Outbox, Outgoing, Target};
use sqlx::{Any, AnyConnection, Transaction};

use crate::{keys, store::drives};

/// Puts requests into the outbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Requests {
    outbox: Outbox,
    worker: Target,
    results: Target,
}

impl Requests {
    /// Requests for the queue of this deployment. `results_arn` is the topic `results`.
    pub fn new(outbox: Outbox, names: &Names, results_arn: String) -> Self {
        Self { outbox, worker: Target::Queue(names.full(TRANSCODE_REQUESTS)), results: Target::Topic(results_arn) }
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
            target: self.worker.clone(),
            subject: None,
            body: request.encode(),
            attributes: BTreeMap::new(),
        };
        self.outbox.put(connection, &outgoing).await
    }

    /// Tells, in the caller's transaction, that a file was deleted: the worker, so that no job is made of
    /// it, and whoever listens for its end.
    pub async fn withdraw(
        &self,
        connection: &mut AnyConnection,
        file_id: FileId,
        owner: UserId,
        at: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let deleted = FileDeleted { v: V1, file_id, owner, at };
        let body = deleted.encode();
        for (target, attributes) in [(&self.worker, BTreeMap::new()), (&self.results, deleted.attributes())] {
            let outgoing = Outgoing { target: target.clone(), subject: None, body: body.clone(), attributes };
            self.outbox.put(connection, &outgoing).await?;
        }
        Ok(())
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
