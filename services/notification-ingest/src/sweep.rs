//! Forgets events that nobody can send again.

use std::time::Duration;

use common::Timestamp;
use database::Database;
use tokio_util::sync::CancellationToken;

use crate::store;

const PERIOD: Duration = Duration::from_secs(3600);
/// Rows of one statement: writers wait no longer than that takes.
const STEP: i64 = 1000;

/// Runs until `stop` is cancelled. What a failing database kept is forgotten an hour later.
pub async fn run(database: Database, retention: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        if let Err(error) = sweep(&database, retention, &stop).await {
            tracing::warn!(%error, "old events could not be removed; trying again later");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

async fn sweep(database: &Database, retention: Duration, stop: &CancellationToken) -> Result<(), sqlx::Error> {
    let before = Timestamp::from_millis(Timestamp::now().as_millis() - retention.as_millis() as i64);
    while !stop.is_cancelled() {
        let mut transaction = database.begin().await?;
        let gone = store::forget(&mut transaction, before, STEP).await?;
        transaction.commit().await?;
        if gone == 0 {
            break;
        }
    }
    Ok(())
}
