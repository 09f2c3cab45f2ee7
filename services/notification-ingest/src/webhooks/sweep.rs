//! Once an hour, and when a webhook was deleted: removes deliveries that nobody asks for any more.

use std::time::Duration;

use common::Timestamp;
use database::Database;
use tokio_util::sync::CancellationToken;

use super::{Wake, store::sweep};

const PERIOD: Duration = Duration::from_secs(3600);
/// Rows of one statement: writers wait no longer than that takes.
const STEP: i64 = 500;

/// Runs until `stop` is cancelled. What a failing database kept is removed an hour later.
pub async fn run(database: Database, retention: Duration, wake: Wake, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(&database, retention, &stop).await {
            tracing::warn!(%error, "old deliveries could not be removed; trying again later");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.woken() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
    Ok(())
}

async fn sweep(database: &Database, retention: Duration, stop: &CancellationToken) -> Result<(), sqlx::Error> {
    let before = Timestamp::from_millis(Timestamp::now().as_millis() - retention.as_millis() as i64);
    let mut more = true;
    while more && !stop.is_cancelled() {
        let mut transaction = database.begin().await?;
        let buried = sweep::bury(&mut transaction, STEP).await?;
        let gone = sweep::forget(&mut transaction, before, STEP).await?;
        transaction.commit().await?;
        more = buried || gone > 0;
    }
    let mut connection = database.pool().acquire().await?;
    let driven = sweep::drive(&mut connection).await?;
    if driven > 0 {
        tracing::warn!(driven, "webhooks had no turn though something waited for them");
    }
    Ok(())
}
