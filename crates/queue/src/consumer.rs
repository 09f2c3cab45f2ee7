//! The receive loop.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::Context;
use aws_sdk_sqs::{
    Client,
    types::{Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName},
};
use futures::FutureExt;
use sdk_error::brief;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, interval_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    backoff, deleter, depth,
    handler::{Failure, Handler, Message},
    metrics::{self, ConsumerMeters, Outcome},
};

/// The most messages of one receive (SQS API, ReceiveMessage).
const MAX_RECEIVE: usize = 10;
/// The longest long poll, in seconds (SQS API, ReceiveMessage).
const WAIT_SECONDS: i32 = 20;

/// A queue and the dead letters beside it.
#[derive(Debug, Clone)]
pub struct Queue {
    /// The queue's URL.
    pub url: String,
    /// The URL of its dead-letter queue, where unreadable messages go at once.
    pub dead_letters_url: String,
}

/// The bounds of a consumer.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many messages are handled at once.
    pub concurrency: usize,
    /// How long a message stays hidden without a sign of life. A crash delays its messages by this.
    pub visibility_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { concurrency: 10, visibility_timeout: Duration::from_secs(30) }
    }
}

/// The two steps of stopping.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Cancelled: nothing new is received.
    pub intake: CancellationToken,
    /// Cancelled: work in hand is dropped and its messages are handed back.
    pub work: CancellationToken,
}

/// Receives from one queue and hands each message to a handler.
pub struct Consumer<H> {
    inner: Arc<Inner<H>>,
}

struct Inner<H> {
    sqs: Client,
    queue: Queue,
    settings: Settings,
    handler: H,
    meters: ConsumerMeters,
}

impl<H: Handler> Consumer<H> {
    /// A consumer that does nothing until it is run.
    pub fn new(sqs: Client, queue: Queue, settings: Settings, handler: H) -> Self {
        let meters = ConsumerMeters::new(&queue.url);
        Self { inner: Arc::new(Inner { sqs, queue, settings, handler, meters }) }
    }

    /// Runs until `stop.intake` is cancelled and all work in hand has ended.
    pub async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let inner = self.inner;
        let free = Arc::new(Semaphore::new(inner.settings.concurrency));
        let tasks = TaskTracker::new();
        let (deletions, deleter) = deleter::start(inner.sqs.clone(), inner.queue.url.clone());
        let watch = depth::watch(inner.sqs.clone(), inner.queue.clone(), stop.intake.clone());
        tasks.spawn(watch);
        let mut failures = 0;
        while let Some(permits) = take_permits(&free, &stop.intake).await {
            if !inner.handler.ready().await {
                failures += 1;
                pause_after(failures, &anyhow::anyhow!("the handler is not ready"), &inner.queue.url, &stop.intake)
                    .await;
                continue;
            }
            let received = tokio::select! {
                () = stop.intake.cancelled() => break,
                received = inner.receive(permits.len()) => received,
            };
            match received {
                Ok(messages) => {
                    failures = 0;
                    for (message, permit) in messages.into_iter().zip(permits) {
                        let (inner, stop, deletions) = (inner.clone(), stop.clone(), deletions.clone());
                        let span = inner.span(&message);
                        let process = async move {
                            inner.process(message, &stop.work, &deletions).await;
                            drop(permit);
                        };
                        tasks.spawn(process.instrument(span));
                    }
                }
                Err(error) => {
                    failures += 1;
                    pause_after(failures, &error, &inner.queue.url, &stop.intake).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
        drop(deletions);
        deleter.await.context("the task that deletes messages died")
    }
}

/// Waits for one permit and takes what else is free: the loop asks for no more than it can start.
async fn take_permits(free: &Arc<Semaphore>, stop: &CancellationToken) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        () = stop.cancelled() => return None,
        permit = free.clone().acquire_owned() => permit.ok()?,
    };
    let mut permits = vec![first];
    while permits.len() < MAX_RECEIVE
        && let Ok(permit) = free.clone().try_acquire_owned()
    {
        permits.push(permit);
    }
    Some(permits)
}

/// A queue that is away is logged when it goes, not at each try.
async fn pause_after(failures: u32, error: &anyhow::Error, queue_url: &str, stop: &CancellationToken) {
    if failures == 1 {
        tracing::error!(
            queue_url,
            cause = format!("{error:#}"),
            "cannot receive messages; trying again until it works"
        );
    }
    let delay = backoff::delay(failures, Duration::from_millis(250), Duration::from_secs(10));
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(delay) => {}
    }
}

impl<H: Handler> Inner<H> {
    async fn receive(&self, most: usize) -> anyhow::Result<Vec<SqsMessage>> {
        let output = self
            .sqs
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(i32::try_from(most)?)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(seconds(self.settings.visibility_timeout))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| anyhow::anyhow!("{}", brief(&error)))?;
        Ok(output.messages.unwrap_or_default())
    }

    /// What is logged about the message bears these; the handler adds what it is [about](crate::about()).
    fn span(&self, raw: &SqsMessage) -> Span {
        let queue = metrics::name(&self.queue.url);
        let id = raw.message_id.as_deref().unwrap_or_default();
        tracing::info_span!("message", queue, id, file_id = Empty, job_id = Empty, user = Empty)
    }

    /// Takes one message to its end: deleted, hidden until its next try, or among the dead letters.
    async fn process(&self, raw: SqsMessage, stop: &CancellationToken, deletions: &mpsc::Sender<String>) {
        let receipt = raw.receipt_handle.clone().unwrap_or_default();
        let message = read(&raw);
        let mut in_hand = self.meters.begin(sent(&raw), message.receive_count);
        let Some(result) = self.handle(&message, &receipt, stop).await else {
            self.hide(&receipt, Duration::ZERO).await;
            return;
        };
        match result {
            Ok(()) => in_hand.ended(Outcome::Done),
            Err(Failure::Reject(cause)) => {
                tracing::error!(
                    message_id = message.id,
                    queue_url = self.queue.url,
                    cause = format!("{cause:#}"),
                    "message rejected; it goes to the dead letters"
                );
                if let Err(cause) = self.bury(&raw).await {
                    tracing::error!(message_id = message.id, %cause, "the dead-letter queue did not take the message; it will be tried again");
                    in_hand.ended(Outcome::Retried);
                    self.hide(&receipt, self.settings.visibility_timeout).await;
                    return;
                }
                in_hand.ended(Outcome::Rejected);
            }
            Err(Failure::Retry(cause)) => {
                in_hand.ended(Outcome::Retried);
                return self.retry(&message, &receipt, retry_delay(&message), &cause).await;
            }
            Err(Failure::RetryAfter(delay, cause)) => {
                in_hand.ended(Outcome::Retried);
                return self.retry(&message, &receipt, delay, &cause).await;
            }
        }
        // The deleter lives as long as a sender does.
        let _ = deletions.send(receipt).await;
    }

    /// Runs the handler and keeps the message hidden meanwhile. `None` when told to stop.
    async fn handle(&self, message: &Message, receipt: &str, stop: &CancellationToken) -> Option<Result<(), Failure>> {
        let work = AssertUnwindSafe(self.handler.handle(message)).catch_unwind();
        // Polled beside the work, not in its stead: a slow SQS must not hold the handler up.
        tokio::select! {
            result = work => Some(result.unwrap_or_else(|_| Err(anyhow::anyhow!("the handler panicked").into()))),
            () = stop.cancelled() => None,
            () = self.keep_hidden(receipt) => None,
        }
    }

    /// Extends the visibility timeout for ever.
    async fn keep_hidden(&self, receipt: &str) {
        let beat = self.settings.visibility_timeout / 3;
        let mut heartbeat = interval_at(Instant::now() + beat, beat);
        loop {
            heartbeat.tick().await;
            self.hide(receipt, self.settings.visibility_timeout).await;
        }
    }

    async fn retry(&self, message: &Message, receipt: &str, delay: Duration, cause: &anyhow::Error) {
        let (id, receive_count) = (&message.id, message.receive_count);
        let cause = format!("{cause:#}");
        tracing::warn!(
            message_id = id,
            receive_count,
            ?delay,
            queue_url = self.queue.url,
            cause,
            "message failed; it will be tried again"
        );
        self.hide(receipt, delay).await;
    }

    async fn hide(&self, receipt: &str, time: Duration) {
        let call = self.sqs.change_message_visibility().queue_url(&self.queue.url).receipt_handle(receipt);
        if let Err(error) = call.visibility_timeout(seconds(time)).send().await {
            let cause = brief(&error);
            tracing::warn!(queue_url = self.queue.url, %cause, "cannot change how long a message is hidden");
        }
    }

    async fn bury(&self, raw: &SqsMessage) -> anyhow::Result<()> {
        self.sqs
            .send_message()
            .queue_url(&self.queue.dead_letters_url)
            .message_body(raw.body.as_deref().unwrap_or_default())
            .set_message_attributes(raw.message_attributes.clone())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| anyhow::anyhow!("{}", brief(&error)))
    }
}

/// Grows with each receive: with five receives an outage of some minutes is ridden out.
fn retry_delay(message: &Message) -> Duration {
    const DELAYS: [u64; 5] = [1, 5, 30, 120, 300];
    let index = (message.receive_count.saturating_sub(1) as usize).min(DELAYS.len() - 1);
    Duration::from_secs(DELAYS[index])
}

fn read(raw: &SqsMessage) -> Message {
    let receive_count =
        raw.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    Message {
        id: raw.message_id.clone().unwrap_or_default(),
        body: raw.body.clone().unwrap_or_default(),
        attributes: raw.message_attributes.as_ref().map(texts).unwrap_or_default(),
        receive_count: receive_count.and_then(|count| count.parse().ok()).unwrap_or(1),
    }
}

/// When the message was sent, in milliseconds since 1970.
fn sent(raw: &SqsMessage) -> Option<u64> {
    raw.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
}

fn texts(attributes: &HashMap<String, MessageAttributeValue>) -> HashMap<String, String> {
    let text = |(name, value): (&String, &MessageAttributeValue)| Some((name.clone(), value.string_value.clone()?));
    attributes.iter().filter_map(text).collect()
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
