//! Where both ways meet: one genuine event is stored, and told to the other services if it is news.

use common::Timestamp;
use database::Database;
use elastic_transcoder::notification::State;
use queue::Outbox;

use crate::{
    event::{Event, Unreadable, outgoing},
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
    Database(#[from] sqlx::Error),
}

/// Takes genuine events. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    database: Database,
    outbox: Outbox,
    results_arn: String,
    rejects: Rejects,
}

impl Intake {
    /// An intake whose results go to the topic `results_arn`.
    pub const fn new(database: Database, outbox: Outbox, results_arn: String, rejects: Rejects) -> Self {
        Self { database, outbox, results_arn, rejects }
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
        let event = match Event::parse(arrival.message) {
            Ok(event) => event,
            Err(error) => {
                self.rejects.put(arrival.rejected(Reason::Unreadable, &error.to_string())).await?;
                return Err(error.into());
            }
        };
        let outcome = self.store(&event, arrival).await?;
        log(&event, arrival.message_id, outcome);
        Ok(outcome)
    }

    /// Everything in one transaction: a crash leaves all of it or nothing, and then SNS or SQS delivers again.
    async fn store(&self, event: &Event, arrival: Arrival<'_>) -> Result<Outcome, sqlx::Error> {
        let now = Timestamp::now();
        let mut transaction = self.database.begin().await?;
        let outcome = match event.job() {
            Err(why) => {
                let detail = why.to_string();
                let rejected = arrival.rejected(Reason::ForeignJob, &detail);
                self.rejects.put_in(&mut transaction, rejected).await?;
                Outcome::Foreign
            }
            Ok(job) => match store::advance(&mut transaction, event.job_id(), event.step(), now).await? {
                false => Outcome::Late,
                true => {
                    let message = outgoing(&event.result(job, now), &self.results_arn);
                    self.outbox.put(&mut transaction, &message).await?;
                    Outcome::Published
                }
            },
        };
        let row = Row {
            message_id: arrival.message_id,
            job_id: event.job_id(),
            state: &event.state().to_string(),
            outcome: outcome.as_str(),
            source: arrival.source.as_str(),
            body: arrival.message,
        };
        if !store::keep(&mut transaction, row, now).await? {
            transaction.rollback().await?;
            return Ok(Outcome::Duplicate);
        }
        self.outbox.commit(transaction).await?;
        Ok(outcome)
    }
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
