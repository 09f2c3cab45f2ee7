//! Where both ways meet: one genuine event is stored, and told to the other services if it is news.

use common::Timestamp;
use database::Database;
use elastic_transcoder::notification::State;
use queue::Outbox;
use sns::Envelope;

use crate::{
    event::{Event, Unreadable, outgoing},
    store::{self, Row},
};

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Posted to the HTTP endpoint.
    Http,
    /// From the queue.
    Sqs,
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
}

impl Intake {
    /// An intake whose results go to the topic `results_arn`.
    pub const fn new(database: Database, outbox: Outbox, results_arn: String) -> Self {
        Self { database, outbox, results_arn }
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.database.ping().await
    }

    /// Stores the event in `envelope`, whose origin the caller has checked. When this returns, it is durable.
    pub async fn accept(&self, envelope: &Envelope, source: Source) -> Result<Outcome, IntakeError> {
        let event = Event::parse(envelope.message())?;
        let outcome = self.store(&event, envelope, source).await?;
        log(&event, envelope.message_id(), outcome);
        Ok(outcome)
    }

    /// Everything in one transaction: a crash leaves all of it or nothing, and then SNS or SQS delivers again.
    async fn store(&self, event: &Event, envelope: &Envelope, source: Source) -> Result<Outcome, sqlx::Error> {
        let now = Timestamp::now();
        let mut transaction = self.database.begin().await?;
        let outcome = match event.job() {
            Err(_) => Outcome::Foreign,
            Ok(job) => match store::advance(&mut transaction, event.job_id(), event.stage(), now).await? {
                false => Outcome::Late,
                true => {
                    let message = outgoing(&event.result(job, now), &self.results_arn);
                    self.outbox.put(&mut transaction, &message).await?;
                    Outcome::Published
                }
            },
        };
        let row = Row {
            message_id: envelope.message_id(),
            job_id: event.job_id(),
            state: &event.state().to_string(),
            outcome: outcome.as_str(),
            source: source.as_str(),
            body: envelope.message(),
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
        }
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
