//! Jobs that stand still are asked for again: SQS gives a message up after five receives, and a job
//! whose process died five times would otherwise stay as it is for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use common::Timestamp;
use elastic_transcoder::JobStatus;
use queue::{Outgoing, Target};
use tokio_util::sync::CancellationToken;

use crate::message::Message;
use crate::store::{self, Store};

/// The time between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// Whoever works on a job says so this often.
pub const BEAT: Duration = Duration::from_secs(30);
/// A job that was begun and is not worked on for this long is asked for again. SQS itself delivers a message again
/// sooner than that, as long as it has receives left.
const BEGUN_MS: i64 = 3 * 60 * 1000;
/// A job that was not begun for this long is asked for again: mostly its queue is long, and then that does no harm.
const WAITING_MS: i64 = 2 * 60 * 60 * 1000;

/// The message that has a job run.
pub fn request(jobs_queue: &str, job_id: &str) -> Outgoing {
    Outgoing {
        target: Target::Queue(jobs_queue.to_owned()),
        subject: None,
        body: Message::run(job_id).to_body(),
        attributes: BTreeMap::new(),
    }
}

/// Sweeps at start and then every minute, until `stop` is cancelled.
pub async fn run(store: Store, jobs_queue: String, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        match round(&store, &jobs_queue, Timestamp::now()).await {
            Ok(0) => {}
            Ok(jobs) => tracing::warn!(jobs, "asked again for jobs that stood still"),
            Err(error) => {
                tracing::error!(
                    cause = format!("{:#}", anyhow::Error::from(error)),
                    "the sweep failed; it tries again"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(())
}

async fn round(store: &Store, jobs_queue: &str, now: Timestamp) -> Result<usize, sqlx::Error> {
    let ago = |millis: i64| Timestamp::from_millis(now.as_millis() - millis);
    let mut transaction = store.begin().await?;
    let mut stale = store::take_stale(&mut transaction, now, JobStatus::Progressing, ago(BEGUN_MS)).await?;
    stale.extend(store::take_stale(&mut transaction, now, JobStatus::Submitted, ago(WAITING_MS)).await?);
    for id in &stale {
        store.outbox.put(&mut transaction, &request(jobs_queue, id)).await?;
    }
    store.commit(transaction).await?;
    Ok(stale.len())
}

#[cfg(test)]
mod tests {
    use database::Database;
    use sqlx::Row;

    use super::*;
    use crate::store::{MIGRATIONS, SCHEMA};

    #[tokio::test]
    async fn what_stands_still_is_asked_for_once_and_what_has_ended_is_not() {
        for database in testing::databases().await {
            let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
            let mut transaction = store.begin().await.unwrap();
            let insert = "INSERT INTO pipelines (id, document) VALUES ('p', '{}')";
            sqlx::query(insert).execute(&mut *transaction).await.unwrap();
            let now = Timestamp::now();
            for status in [JobStatus::Submitted, JobStatus::Progressing, JobStatus::Complete, JobStatus::Canceled] {
                sqlx::query(
                    "INSERT INTO jobs (id, pipeline_id, status, document, driven_at) VALUES ($1, 'p', $1, '{}', $2)",
                )
                .bind(status.as_str())
                .bind(now.as_millis())
                .execute(&mut *transaction)
                .await
                .unwrap();
            }
            store.commit(transaction).await.unwrap();
            let at = |millis: i64| Timestamp::from_millis(now.as_millis() + millis);
            assert_eq!(round(&store, "jobs", at(BEGUN_MS - 1)).await.unwrap(), 0, "nothing has stood for long");
            let mut connection = store.database.pool().acquire().await.unwrap();
            store::touch(&mut connection, "Progressing", at(1000)).await.unwrap();
            assert_eq!(round(&store, "jobs", at(BEGUN_MS + 500)).await.unwrap(), 0, "somebody works on it");
            assert_eq!(round(&store, "jobs", at(BEGUN_MS + 1500)).await.unwrap(), 1, "{:?}", database.kind());
            assert_eq!(round(&store, "jobs", at(BEGUN_MS + 1500)).await.unwrap(), 0, "asked for already");
            // By now the begun one has stood still again.
            assert_eq!(round(&store, "jobs", at(WAITING_MS + 1)).await.unwrap(), 2);
            let waiting = sqlx::query("SELECT COUNT(*) FROM outbox").fetch_one(store.database.pool()).await.unwrap();
            assert_eq!(waiting.get::<i64, _>(0), 3);
        }
    }
}
