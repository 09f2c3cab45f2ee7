//! Where both ways meet: one genuine event is stored, and told to the other services if it is news.

mod group;
mod recent;

use std::sync::Arc;

use common::Timestamp;
use database::Database;
use elastic_transcoder::notification::State;
use queue::Outbox;
use sqlx::AnyConnection;

use self::{group::Group, recent::Recent};
use crate::{
    event::{Event, Unreadable, outgoing},
    metrics,
    rejected::Rejects,
    store::{
        self, Row,
        rejected::{NewRejected, Reason},
    },
};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Posted to the HTTP endpoint.
    Http,
    /// From the queue.
    Sqs,
    /// From the queue, by a subscription with raw delivery: without SNS's envelope.
    SqsRaw,
}

/// A message whose origin was checked.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The sender's id; the same at each delivery. That of SQS when there is no envelope.
    pub message_id: &'a str,
    /// What was published.
    pub message: &'a str,
    /// How it came.
    pub source: Source,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took its job further, and the other services are told.
    Published,
    /// Its job was as far already: a repeated event with a new id, or a late one.
    Late,
    /// Its job is another user's of the pipeline.
    Foreign,
    /// The same message has been here before.
    Duplicate,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It can never be.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It may be later.
    #[error("the event cannot be stored")]
    Database(#[source] Arc<sqlx::Error>),
}

impl From<sqlx::Error> for IntakeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// An event on its way into the database, with what it came from.
#[derive(Clone)]
struct Work {
    event: Arc<Event>,
    message_id: Arc<str>,
    message: Arc<str>,
    source: Source,
}

type Stored = Result<Outcome, Arc<sqlx::Error>>;

/// Takes genuine events. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    database: Database,
    outbox: Outbox,
    results_arn: String,
    rejects: Rejects,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    group: Group<Work, Stored>,
    recent: Recent,
}

impl Intake {
    /// An intake whose results go to the topic `results_arn`.
    pub fn new(database: Database, outbox: Outbox, results_arn: String, rejects: Rejects) -> Self {
        Self { database, outbox, results_arn, rejects, shared: Arc::default() }
    }

    /// What was rejected.
    pub const fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.database.ping().await
    }

    /// Stores the event, whose origin the caller has checked, or that it is none. When this returns, it is durable.
    pub async fn accept(&self, arrival: Arrival<'_>) -> Result<Outcome, IntakeError> {
        if self.shared.recent.has(arrival.message_id) {
            tracing::debug!(message_id = arrival.message_id, "a message that has been here lately");
            metrics::taken(arrival.source, Outcome::Duplicate);
            return Ok(Outcome::Duplicate);
        }
        let event = match Event::parse(arrival.message) {
            Ok(event) => event,
            Err(error) => {
                self.rejects.put(arrival.rejected(Reason::Unreadable, &error.to_string())).await?;
                return Err(error.into());
            }
        };
        if let Ok(job) = event.job() {
            queue::about(Some(job.file_id), Some(event.job_id()), &job.owner);
        }
        let work = Work {
            event: Arc::new(event),
            message_id: arrival.message_id.into(),
            message: arrival.message.into(),
            source: arrival.source,
        };
        let stored = self.shared.group.run(work.clone(), |batch| self.store_all(batch)).await;
        let outcome = stored.map_err(IntakeError::Database)?;
        self.shared.recent.remember(arrival.message_id);
        metrics::taken(arrival.source, outcome);
        log(&work.event, arrival.message_id, outcome);
        Ok(outcome)
    }

    /// All in one transaction; if that fails, and not because the database is away, each in its own.
    async fn store_all(&self, mut batch: Vec<Work>) -> Vec<Stored> {
        match self.try_store(&batch).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error @ sqlx::Error::Database(_)) if batch.len() > 1 => {
                tracing::debug!(%error, count = batch.len(), "events could not be stored together");
                let mut results = Vec::with_capacity(batch.len());
                for work in batch.drain(..) {
                    let alone = self.try_store(std::slice::from_ref(&work)).await;
                    results.push(alone.map_err(Arc::new).and_then(|mut it| it.pop().ok_or_else(lost)));
                }
                results
            }
            Err(error) => {
                let error = Arc::new(error);
                batch.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// A crash leaves all of it or nothing, and then SNS or SQS delivers again.
    async fn try_store(&self, batch: &[Work]) -> Result<Vec<Outcome>, sqlx::Error> {
        let now = Timestamp::now();
        let mut transaction = self.database.begin().await?;
        let mut outcomes = vec![Outcome::Duplicate; batch.len()];
        // Jobs in the same order everywhere, so that two processes do not wait for each other's rows; the events of
        // one job stay in theirs.
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by_key(|index| batch[*index].event.job_id());
        for index in order {
            outcomes[index] = self.store(&mut transaction, &batch[index], now).await?;
        }
        self.outbox.commit(transaction).await?;
        Ok(outcomes)
    }

    async fn store(&self, connection: &mut AnyConnection, work: &Work, now: Timestamp) -> Result<Outcome, sqlx::Error> {
        let event = &work.event;
        let row = Row {
            message_id: &work.message_id,
            job_id: event.job_id(),
            state: &event.state().to_string(),
            outcome: if event.job().is_ok() { Outcome::Published.as_str() } else { Outcome::Foreign.as_str() },
            source: work.source.as_str(),
            body: &work.message,
        };
        // First, so that a duplicate changes nothing; the few that turn out to be late are marked after.
        if !store::keep(connection, row, now).await? {
            return Ok(Outcome::Duplicate);
        }
        match event.job() {
            Err(why) => {
                let detail = why.to_string();
                let arrival = Arrival { message_id: &work.message_id, message: &work.message, source: work.source };
                self.rejects.put_in(connection, arrival.rejected(Reason::ForeignJob, &detail)).await?;
                Ok(Outcome::Foreign)
            }
            Ok(job) if store::advance(connection, event.job_id(), event.step(), now).await? => {
                self.outbox.put(connection, &outgoing(&event.result(job, now), &self.results_arn)).await?;
                Ok(Outcome::Published)
            }
            Ok(_) => {
                store::set_outcome(connection, &work.message_id, Outcome::Late.as_str()).await?;
                Ok(Outcome::Late)
            }
        }
    }
}

/// A turn gives as many results as it was given pieces of work; this is for the compiler.
fn lost() -> Arc<sqlx::Error> {
    Arc::new(sqlx::Error::WorkerCrashed)
}

/// The one line about an event. The transcoder's own words about a failure are found here only.
fn log(event: &Event, message_id: &str, outcome: Outcome) {
    let (job_id, state, outcome_word) = (event.job_id(), event.state(), outcome.as_str());
    match (outcome, event.job()) {
        (Outcome::Duplicate | Outcome::Late, _) => {
            tracing::debug!(message_id, job_id, %state, outcome = outcome_word, "event changes nothing");
        }
        (_, Err(error)) => {
            tracing::info!(message_id, job_id, %state, outcome = outcome_word, %error, "event of a job that is not ours");
        }
        (_, Ok(job)) => {
            let detail = if state == State::Error { event.detail() } else { None };
            let file_id = job.file_id;
            tracing::info!(message_id, job_id, %file_id, %state, outcome = outcome_word, detail, "event accepted");
        }
    }
}

impl Source {
    /// Its word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sqs => "sqs",
            Self::SqsRaw => "sqs_raw",
        }
    }
}

impl<'a> Arrival<'a> {
    fn rejected(&self, reason: Reason, detail: &'a str) -> NewRejected<'a> {
        NewRejected { message_id: self.message_id, source: self.source.as_str(), reason, detail, body: self.message }
    }
}

impl Outcome {
    /// Its word in the table and the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Late => "late",
            Self::Foreign => "foreign",
            Self::Duplicate => "duplicate",
        }
    }
}
