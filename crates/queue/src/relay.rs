//! Sends what the outbox holds.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    time::Duration,
};

use anyhow::Context;
use aws_sdk_sns::types::{MessageAttributeValue as SnsAttribute, PublishBatchRequestEntry};
use aws_sdk_sqs::types::{MessageAttributeValue as SqsAttribute, SendMessageBatchRequestEntry};
use common::Timestamp;
use futures::future::join_all;
use sdk_error::brief;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff,
    metrics::{self, RelayMeters},
    outbox::{Claimed, Outbox, Target},
};

/// The most entries of one batch (SQS API, SendMessageBatch; SNS API, PublishBatch).
const BATCH: usize = 10;
/// The most bytes of one batch; SNS takes 256 KiB with attributes and subjects.
const BATCH_BYTES: usize = 192 * 1024;
/// How often the table is read without a wake-up: finds leases that ran out and retries that are due.
const POLL: Duration = Duration::from_secs(1);
/// One round of claiming, sending and removing. A connection that hangs must not hold the relay for ever.
const ROUND: Duration = Duration::from_secs(120);
/// A message that is not taken is told of again after so many tries: some eight hours at the longest delay.
const TELL_AGAIN: u32 = 100;
/// The bound of the delay. There is none for the tries: what was committed is never given up.
const MAX_DELAY: Duration = Duration::from_secs(300);

/// Moves messages from an [`Outbox`] to SQS and SNS, at least once and roughly in order.
pub struct Relay {
    outbox: Outbox,
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    /// Queue URLs by name: one entry for each queue that a service sends to.
    urls: Mutex<HashMap<String, String>>,
    meters: RelayMeters,
}

impl Relay {
    /// A relay that does nothing until it is run. Its metrics bear the name of the service whose outbox it is.
    #[must_use]
    pub fn new(service: &'static str, outbox: Outbox, sqs: aws_sdk_sqs::Client, sns: aws_sdk_sns::Client) -> Self {
        Self { outbox, sqs, sns, urls: Mutex::default(), meters: RelayMeters::new(service) }
    }

    /// Runs until `stop` is cancelled. What is then unsent waits for the next start.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            ended = self.relay(&stop) => ended,
            // Beside the relay, so that an outbox whose target hangs is seen to grow.
            never = self.measure() => match never {},
        }
    }

    async fn measure(&self) -> Infallible {
        loop {
            // A database that is away is told of by the relay.
            if let Ok((rows, oldest)) = self.outbox.waiting().await {
                let age = oldest.map_or(0, |oldest| Timestamp::now().as_millis() - oldest.as_millis());
                self.meters.rows.set(rows as f64);
                self.meters.oldest.set(age.max(0) as f64 / 1000.0);
            }
            tokio::time::sleep(metrics::PAUSE).await;
        }
    }

    async fn relay(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let step = tokio::time::timeout(ROUND, self.step()).await;
            match step.unwrap_or_else(|_| Err(anyhow::anyhow!("no end within {ROUND:?}"))) {
                Ok(moved) => {
                    failures = 0;
                    if moved {
                        continue;
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::error!(
                            cause = format!("{error:#}"),
                            "cannot read the outbox; trying again until it works"
                        );
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.outbox.woken(), if failures == 0 => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        Ok(())
    }

    /// One claim. True if there was anything to send.
    async fn step(&self) -> anyhow::Result<bool> {
        let claimed = self.outbox.claim(Timestamp::now()).await?;
        let found = !claimed.is_empty();
        let mut by_target: BTreeMap<Target, Vec<Claimed>> = BTreeMap::new();
        for row in claimed {
            by_target.entry(row.outgoing.target.clone()).or_default().push(row);
        }
        let sends = by_target.iter().map(|(target, rows)| self.send_all(target, rows));
        for result in join_all(sends).await {
            result?;
        }
        Ok(found)
    }

    async fn send_all(&self, target: &Target, rows: &[Claimed]) -> Result<(), sqlx::Error> {
        for batch in batches(rows) {
            let failed = match self.send(target, batch).await {
                Ok(failed) => failed,
                Err(cause) => batch.iter().map(|row| (row.id.clone(), format!("{cause:#}"))).collect(),
            };
            let sent: Vec<String> =
                batch.iter().map(|row| row.id.clone()).filter(|id| !failed.contains_key(id)).collect();
            self.meters.failed.increment(failed.len() as u64);
            self.outbox.sent(&sent).await?;
            self.meters.sent.increment(sent.len() as u64);
            for row in batch {
                if let Some(cause) = failed.get(&row.id) {
                    self.put_off(row, cause).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends one batch; gives back the ids that were refused, each with the reason.
    async fn send(&self, target: &Target, batch: &[Claimed]) -> anyhow::Result<HashMap<String, String>> {
        match target {
            Target::Queue(name) => self.send_to_queue(name, batch).await,
            Target::Topic(arn) => self.publish(arn, batch).await,
        }
    }

    async fn send_to_queue(&self, name: &str, batch: &[Claimed]) -> anyhow::Result<HashMap<String, String>> {
        let mut entries = Vec::with_capacity(batch.len());
        for (index, row) in batch.iter().enumerate() {
            let mut entry =
                SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&row.outgoing.body);
            for (key, value) in &row.outgoing.attributes {
                entry = entry
                    .message_attributes(key, SqsAttribute::builder().data_type("String").string_value(value).build()?);
            }
            entries.push(entry.build()?);
        }
        let url = self.queue_url(name).await?;
        let output = self.sqs.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await;
        let output = output.map_err(|error| anyhow::anyhow!("{}", brief(&error)))?;
        let failed = output.failed();
        Ok(failed
            .iter()
            .filter_map(|entry| refused(batch, entry.id(), entry.message().unwrap_or(entry.code())))
            .collect())
    }

    async fn publish(&self, arn: &str, batch: &[Claimed]) -> anyhow::Result<HashMap<String, String>> {
        let mut entries = Vec::with_capacity(batch.len());
        for (index, row) in batch.iter().enumerate() {
            let mut entry = PublishBatchRequestEntry::builder()
                .id(index.to_string())
                .message(&row.outgoing.body)
                .set_subject(row.outgoing.subject.clone());
            for (key, value) in &row.outgoing.attributes {
                entry = entry
                    .message_attributes(key, SnsAttribute::builder().data_type("String").string_value(value).build()?);
            }
            entries.push(entry.build()?);
        }
        let output =
            self.sns.publish_batch().topic_arn(arn).set_publish_batch_request_entries(Some(entries)).send().await;
        let output = output.map_err(|error| anyhow::anyhow!("{}", brief(&error)))?;
        let failed = output.failed();
        Ok(failed
            .iter()
            .filter_map(|entry| refused(batch, entry.id(), entry.message().unwrap_or(entry.code())))
            .collect())
    }

    async fn queue_url(&self, name: &str) -> anyhow::Result<String> {
        let mut urls = self.urls.lock().await;
        if let Some(url) = urls.get(name) {
            return Ok(url.clone());
        }
        let output = self.sqs.get_queue_url().queue_name(name).send().await;
        let output = output.map_err(|error| anyhow::anyhow!("{}", brief(&error)))?;
        let url = output.queue_url.context("SQS answered without a queue URL")?;
        urls.insert(name.to_owned(), url.clone());
        Ok(url)
    }

    async fn put_off(&self, row: &Claimed, cause: &str) -> Result<(), sqlx::Error> {
        let (id, attempts, target) = (&row.id, row.attempts, &row.outgoing.target);
        if attempts % TELL_AGAIN == 0 {
            tracing::error!(id, attempts, %target, cause, "message still not sent; trying again");
        }
        if attempts == 1 {
            tracing::warn!(id, %target, cause, "message not sent; trying again");
        }
        let delay = backoff::delay(attempts, Duration::from_millis(500), MAX_DELAY);
        let due = Timestamp::from_millis(Timestamp::now().as_millis() + delay.as_millis() as i64);
        self.outbox.failed(id, due).await
    }
}

/// The row that a failed entry stands for. An id that was not sent is not believed.
fn refused(batch: &[Claimed], entry_id: &str, reason: &str) -> Option<(String, String)> {
    let row = batch.get(entry_id.parse::<usize>().ok()?)?;
    Some((row.id.clone(), reason.to_owned()))
}

/// Cuts rows into runs that one call takes.
fn batches(rows: &[Claimed]) -> Vec<&[Claimed]> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (index, row) in rows.iter().enumerate() {
        let size = row.size();
        if index > start && (index - start == BATCH || bytes + size > BATCH_BYTES) {
            batches.push(&rows[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < rows.len() {
        batches.push(&rows[start..]);
    }
    batches
}

impl Claimed {
    fn size(&self) -> usize {
        let attributes = self.outgoing.attributes.iter().map(|(key, value)| key.len() + value.len() + 16);
        self.outgoing.body.len() + self.outgoing.subject.as_deref().map_or(0, str::len) + attributes.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outgoing;

    fn row(bytes: usize) -> Claimed {
        let outgoing = Outgoing {
            target: Target::Queue("q".into()),
            subject: None,
            body: "x".repeat(bytes),
            attributes: BTreeMap::new(),
        };
        Claimed { id: String::new(), outgoing, attempts: 1 }
    }

    #[test]
    fn batches_keep_to_count_and_bytes() {
        let sizes = |rows: Vec<Claimed>| batches(&rows).iter().map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes((0..25).map(|_| row(1)).collect()), [10, 10, 5]);
        assert_eq!(sizes(vec![row(100_000), row(100_000), row(1)]), [1, 2]);
        assert_eq!(sizes(vec![row(1_000_000)]), [1]);
        assert!(sizes(Vec::new()).is_empty());
    }
}
