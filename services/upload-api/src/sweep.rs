//! Whatever has not moved for a while is driven again or removed.

use std::time::Duration;

use common::Timestamp;
use database::Database;
use tokio_util::sync::CancellationToken;

use crate::{
    intake,
    requests::Requests,
    storage::Storage,
    store::{deletions, uploads},
};

/// The time between two rounds.
const PAUSE: Duration = Duration::from_secs(120);
/// An upload that was not heard of for this long is dead, in milliseconds.
const DEAD_AFTER_MS: i64 = 60 * 60 * 1000;
/// Results do not come later than this after a deletion, in milliseconds: queues keep messages for 14 days.
const FORGET_AFTER_MS: i64 = 15 * 24 * 60 * 60 * 1000;

/// Sweeps at start and then every few minutes.
pub struct Sweep {
    /// The service's tables.
    pub database: Database,
    /// The bucket.
    pub storage: Storage,
    /// Transcode requests.
    pub requests: Requests,
}

impl Sweep {
    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let round = async {
                self.round(Timestamp::now()).await;
                tokio::time::sleep(PAUSE).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = round => {}
            }
        }
        Ok(())
    }

    /// One subject's failure must not keep the others from their turn.
    async fn round(&self, now: Timestamp) {
        let ago = |millis: i64| Timestamp::from_millis(now.as_millis() - millis);
        let report = |what: &str, result: anyhow::Result<()>| {
            if let Err(error) = result {
                tracing::error!(what, cause = format!("{error:#}"), "a sweep failed; the next round tries again");
            }
        };
        report("queued files", self.requests.drive(&self.database, now).await);
        report("dead uploads", self.uploads(ago(DEAD_AFTER_MS)).await);
        report("deleted files", self.tombstones(ago(FORGET_AFTER_MS)).await);
    }

    async fn uploads(&self, until: Timestamp) -> anyhow::Result<()> {
        let silent = uploads::silent(&mut *self.database.pool().acquire().await?, until).await?;
        for id in silent {
            intake::discard(&self.database, &self.storage, id, until, true).await?;
            tracing::info!(%id, "removed what a dead upload left");
        }
        Ok(())
    }

    async fn tombstones(&self, until: Timestamp) -> anyhow::Result<()> {
        let mut transaction = self.database.begin().await?;
        deletions::forget(&mut transaction, until).await?;
        Ok(transaction.commit().await?)
    }
}
