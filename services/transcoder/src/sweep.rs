//! Jobs that stand still are asked for again, and what was kept for long enough goes.
//!
//! SQS gives a message up after five receives, and whoever stops hands its message back while its lease still runs:
//! without the sweep such jobs would stay as they are for ever.

use std::time::Duration;

use common::Timestamp;
use elastic_transcoder::JobStatus;
use tokio_util::sync::CancellationToken;

use crate::message::request;
use crate::metrics;
use crate::share::Sharing;
use crate::store::{self, Store, old};

/// The time between two rounds.
const PAUSE: Duration = Duration::from_secs(10);
/// A job whose lease has ended is asked for this long after it was begun or asked for.
const ENDED_MS: i64 = 30 * 1000;
/// The oldest waiting job of a pipeline is asked for when it was not for this long: mostly the queue is long, and then
/// one more message does no harm.
const WAITING_MS: i64 = 60 * 1000;
/// A client token makes the same job for this long.
const TOKEN_MS: i64 = 30 * DAY_MS;
/// Counting more takes time and says no more.
const MOST_COUNTED: i64 = 10_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the sweep needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The full name of the queue that workers listen to.
    pub jobs_queue: String,
    /// For how many days finished jobs can be read, and deleted presets be used by jobs that came before.
    pub keep_days: u32,
    /// Where segments are shared, if anywhere.
    pub sharing: Option<Sharing>,
}

/// Sweeps at start and then every ten seconds, until `stop` is cancelled.
pub async fn run(store: Store, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let now = Timestamp::now();
        match ask_again(&store, &settings.jobs_queue, now).await {
            Ok(0) => {}
            Ok(jobs) => tracing::debug!(jobs, "asked again for jobs that stand still"),
            Err(cause) => tracing::error!(%cause, "cannot ask again for jobs that stand still; the sweep tries again"),
        }
        if let Err(cause) = clear(&store, settings.keep_days, now).await {
            tracing::error!(%cause, "cannot delete what is old; the sweep tries again");
        }
        if let Err(cause) = measure(&store).await {
            tracing::debug!(%cause, "cannot count unfinished jobs");
        }
        if let Some(sharing) = &settings.sharing {
            sharing.sweep().await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(())
}

async fn ask_again(store: &Store, jobs_queue: &str, now: Timestamp) -> Result<usize, sqlx::Error> {
    let mut transaction = store.begin().await?;
    let mut still = store::take_ended(&mut transaction, now, ago(now, ENDED_MS)).await?;
    still.extend(store::take_waiting(&mut transaction, now, ago(now, WAITING_MS)).await?);
    for id in &still {
        store.outbox.put(&mut transaction, &request(jobs_queue, id)).await?;
    }
    store.commit(transaction).await?;
    Ok(still.len())
}

async fn measure(store: &Store) -> Result<(), sqlx::Error> {
    let mut connection = store.database.pool().acquire().await?;
    let waiting = store::count_in(&mut connection, JobStatus::Submitted, MOST_COUNTED).await?;
    let running = store::count_in(&mut connection, JobStatus::Progressing, MOST_COUNTED).await?;
    metrics::unfinished(waiting, running);
    Ok(())
}

/// One statement a transaction: none has to wait for the others.
async fn clear(store: &Store, keep_days: u32, now: Timestamp) -> Result<(), sqlx::Error> {
    let kept = ago(now, i64::from(keep_days) * DAY_MS);
    let mut connection = store.database.pool().acquire().await?;
    let tokens = old::forget_tokens(&mut connection, ago(now, TOKEN_MS)).await?;
    let jobs = old::delete_jobs(&mut connection, kept).await?;
    let presets = old::delete_presets(&mut connection, kept).await?;
    let pipelines = old::delete_pipelines(&mut connection).await?;
    if tokens + jobs + presets + pipelines > 0 {
        tracing::info!(tokens, jobs, presets, pipelines, "deleted what is old");
    }
    Ok(())
}

fn ago(now: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - millis)
}

#[cfg(test)]
mod tests;
