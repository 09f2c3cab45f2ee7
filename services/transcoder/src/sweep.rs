//! Jobs that stand still are asked for again: SQS gives a message up after five receives, and a job
//! whose process died five times would otherwise stay as it is for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use common::Timestamp;
use queue::{Outgoing, Target};
use tokio_util::sync::CancellationToken;

use crate::message::Message;
use crate::store::{self, Store};

/// The time between two rounds.
const PAUSE: Duration = Duration::from_secs(300);

/// The message that has a job run.
pub fn request(jobs_queue: &str, job_id: &str) -> Outgoing {
    Outgoing {
        target: Target::Queue(jobs_queue.to_owned()),
        subject: None,
        body: Message::run(job_id).to_body(),
        attributes: BTreeMap::new(),
    }
}

/// Sweeps at start and then every few minutes, until `stop` is cancelled. `patience` is longer than a job takes.
pub async fn run(store: Store, jobs_queue: String, patience: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let now = Timestamp::now();
        let before = Timestamp::from_millis(now.as_millis() - patience.as_millis() as i64);
        match round(&store, &jobs_queue, now, before).await {
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

async fn round(store: &Store, jobs_queue: &str, now: Timestamp, before: Timestamp) -> Result<usize, sqlx::Error> {
    let mut transaction = store.begin().await?;
    let stale = store::take_stale(&mut transaction, now, before).await?;
    for id in &stale {
        store.outbox.put(&mut transaction, &request(jobs_queue, id)).await?;
    }
    store.commit(transaction).await?;
    Ok(stale.len())
}

#[cfg(test)]
mod tests {
    use database::Database;
    use elastic_transcoder::JobStatus;
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
            assert_eq!(round(&store, "jobs", at(1000), at(-60_000)).await.unwrap(), 0, "nothing has stood for long");
            assert_eq!(round(&store, "jobs", at(1000), at(500)).await.unwrap(), 2, "{:?}", database.kind());
            assert_eq!(round(&store, "jobs", at(1000), at(500)).await.unwrap(), 0, "asked for already");
            let waiting = sqlx::query("SELECT COUNT(*) FROM outbox").fetch_one(store.database.pool()).await.unwrap();
            assert_eq!(waiting.get::<i64, _>(0), 2);
        }
    }
}
