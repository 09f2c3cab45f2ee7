//! Removes the objects of deleted files, however often it takes.

use std::time::Duration;

use common::{FileId, Timestamp};
use database::Database;
use tokio_util::sync::CancellationToken;

use crate::{
    keys,
    state::Wake,
    storage::Storage,
    store::deletions::{self, Purge},
};

/// How often the table is read without a wake-up.
const POLL: Duration = Duration::from_secs(10);
/// The longest time between two tries, in milliseconds.
const MAX_DELAY_MS: i64 = 10 * 60 * 1000;

/// Removes inputs and outputs of files that were deleted.
pub struct Purger {
    /// The service's tables.
    pub database: Database,
    /// The bucket.
    pub storage: Storage,
    /// Wakes it.
    pub wake: Wake,
}

impl Purger {
    /// Runs until `stop` is cancelled. What is then undone waits for the next start.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failing = false;
        while !stop.is_cancelled() {
            let round = tokio::select! {
                () = stop.cancelled() => break,
                round = self.round() => round,
            };
            if let Err(error) = &round
                && !failing
            {
                tracing::error!(
                    cause = format!("{error:#}"),
                    "cannot read which files were deleted; trying again until it works"
                );
            }
            failing = round.is_err();
            if matches!(round, Ok(true)) {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.woken(), if !failing => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        Ok(())
    }

    /// True if there was anything to do.
    async fn round(&self) -> anyhow::Result<bool> {
        let claimed = deletions::claim(&mut *self.database.pool().acquire().await?, Timestamp::now()).await?;
        for purge in &claimed {
            let again = match self.remove(purge.id).await {
                Ok(()) => None,
                Err(error) => Some(put_off(purge, &error)),
            };
            deletions::release(&mut *self.database.pool().acquire().await?, purge, again).await?;
        }
        Ok(!claimed.is_empty())
    }

    async fn remove(&self, id: FileId) -> anyhow::Result<()> {
        self.storage.delete(&keys::input(id)).await?;
        self.storage.delete_all(&keys::output_prefix(id)).await
    }
}

fn put_off(purge: &Purge, error: &anyhow::Error) -> Timestamp {
    if purge.attempts == 1 {
        tracing::warn!(id = %purge.id, cause = format!("{error:#}"), "cannot remove a deleted file's objects; trying again");
    }
    let doublings = purge.attempts.clamp(1, 20) - 1;
    let delay = (1000_i64 << doublings).min(MAX_DELAY_MS);
    Timestamp::from_millis(Timestamp::now().as_millis() + delay)
}
