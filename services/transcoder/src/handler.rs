//! One message, one job run to its end.

use std::sync::Arc;

use anyhow::Context;
use common::Timestamp;
use elastic_transcoder::notification::State;
use elastic_transcoder::{Failure as JobFailure, FailureCode, Job, JobStatus, Pipeline, presets};
use queue::{Failure, Handler};
use uuid::Uuid;

use crate::engine::{Encoding, Engine, Object, Report, Task, TaskOutput, demuxer};
use crate::message::Message;
use crate::store::{self, Store};
use crate::{events, progress, sweep};

/// A job that still fails for a passing reason (storage away, disk full) this long after it began is ended.
/// SQS gives a message up within minutes; then the sweep asks again, so there are tries after this time.
const GIVE_UP_FAILING_MS: i64 = 60 * 60 * 1000;
/// A job that was begun this long ago and begins again has killed its process over and over: it is ended untried.
const GIVE_UP_KILLING_MS: i64 = 24 * 60 * 60 * 1000;

/// Runs jobs.
///
/// A second delivery of a job that is done does nothing. One of a job that somebody is running, or was running when
/// it died, runs it again: outputs are written over, and only the first to finish moves the job and tells about it.
pub struct JobHandler {
    store: Store,
    engine: Arc<Engine>,
}

impl JobHandler {
    /// Over the service's tables and its engine.
    pub fn new(store: Store, engine: Arc<Engine>) -> Self {
        Self { store, engine }
    }

    async fn run(&self, job_id: &str) -> Result<(), Failure> {
        let Some((pipeline, job)) = self.start(job_id).await? else { return Ok(()) };
        let running_ms = || Timestamp::now().as_millis() - job.timing.start_time_millis.unwrap_or(i64::MAX);
        if running_ms() > GIVE_UP_KILLING_MS {
            tracing::error!(job_id, "job given up: it was begun before and has not ended within a day");
            return self.finish(job_id, &Report { detected: None, outcome: Err(given_up()) }).await;
        }
        let task = match task(&pipeline, &job) {
            Ok(task) => task,
            Err(failure) => return self.finish(job_id, &Report { detected: None, outcome: Err(failure) }).await,
        };
        let ran = tokio::select! {
            ran = self.engine.run(&task) => ran,
            never = self.beat(job_id) => match never {},
        };
        match ran {
            Ok(report) => self.finish(job_id, &report).await,
            Err(cause) if running_ms() > GIVE_UP_FAILING_MS => {
                tracing::error!(job_id, cause = format!("{cause:#}"), "job given up");
                self.finish(job_id, &Report { detected: None, outcome: Err(given_up()) }).await
            }
            Err(cause) => Err(Failure::Retry(cause.context(format!("job {job_id}")))),
        }
    }

    /// Says for ever that this job is worked on.
    async fn beat(&self, job_id: &str) -> std::convert::Infallible {
        loop {
            let touched = async {
                let mut connection = self.store.database.pool().acquire().await?;
                store::touch(&mut connection, job_id, Timestamp::now()).await
            };
            if let Err(cause) = touched.await {
                tracing::warn!(job_id, %cause, "cannot note that the job is worked on");
            }
            tokio::time::sleep(sweep::BEAT).await;
        }
    }

    /// Moves a job to Progressing and tells about it, once. `None` when there is nothing left to do.
    async fn start(&self, job_id: &str) -> Result<Option<(Pipeline, Job)>, Failure> {
        let mut transaction = self.store.begin().await?;
        let Some(mut job) = store::find_job(&mut transaction, job_id).await? else {
            return Err(Failure::Reject(anyhow::anyhow!("there is no job {job_id}")));
        };
        if job.status.is_terminal() {
            return Ok(None);
        }
        let pipeline =
            store::find_pipeline(&mut transaction, &job.pipeline_id).await?.context("a job has no pipeline")?;
        if job.status == JobStatus::Progressing {
            return Ok(Some((pipeline, job)));
        }
        progress::start(&mut job, Timestamp::now());
        if !store::update_job(&mut transaction, &job, JobStatus::Submitted).await? {
            // Cancelled or started by somebody in between: look again.
            return Err(Failure::RetryAfter(
                std::time::Duration::ZERO,
                anyhow::anyhow!("job {job_id} moved meanwhile"),
            ));
        }
        let notification = events::notification(&job, State::Progressing, None);
        if let Some(outgoing) = events::outgoing(&pipeline, &notification) {
            self.store.outbox.put(&mut transaction, &outgoing).await?;
        }
        self.store.commit(transaction).await?;
        Ok(Some((pipeline, job)))
    }

    /// Moves a job to its end and tells about it, once.
    async fn finish(&self, job_id: &str, report: &Report) -> Result<(), Failure> {
        let mut transaction = self.store.begin().await?;
        let mut job = store::find_job(&mut transaction, job_id).await?.context("a running job vanished")?;
        let pipeline =
            store::find_pipeline(&mut transaction, &job.pipeline_id).await?.context("a job has no pipeline")?;
        let detail = progress::finish(&mut job, report, Uuid::new_v4(), Timestamp::now());
        if !store::update_job(&mut transaction, &job, JobStatus::Progressing).await? {
            return Ok(());
        }
        let failure = match (&report.outcome, &detail) {
            (Err(failure), Some(detail)) => Some(events::JobFailure { failure, detail }),
            _ => None,
        };
        let state = if job.status == JobStatus::Complete { State::Completed } else { State::Error };
        let notification = events::notification(&job, state, failure);
        if let Some(outgoing) = events::outgoing(&pipeline, &notification) {
            self.store.outbox.put(&mut transaction, &outgoing).await?;
        }
        self.store.commit(transaction).await?;
        tracing::info!(job_id, status = %job.status, "job ended");
        Ok(())
    }
}

impl Handler for JobHandler {
    async fn handle(&self, message: &queue::Message) -> Result<(), Failure> {
        let job_id = Message::parse(&message.body).map_err(Failure::Reject)?;
        self.run(&job_id).await
    }

    async fn ready(&self) -> bool {
        self.store.database.ping().await.is_ok()
    }
}

fn given_up() -> JobFailure {
    JobFailure::new(FailureCode::Internal, "An internal error kept the job from being done.")
}

/// What the engine has to do. It was checked when the job came, so a failure means that this version knows less than
/// the one that took the job.
fn task(pipeline: &Pipeline, job: &Job) -> Result<Task, JobFailure> {
    let input = job.input.clone().unwrap_or_default();
    let bucket = pipeline.content_config.bucket.clone().unwrap_or_default();
    let prefix = job.output_key_prefix.as_deref().unwrap_or_default();
    let output = |output: &elastic_transcoder::JobOutput| {
        let invalid = |what: String| JobFailure::new(FailureCode::Validation, what);
        let preset =
            presets::get(&output.preset_id).ok_or_else(|| invalid(format!("no preset {}", output.preset_id)))?;
        let encoding = Encoding::of(preset).map_err(|unsupported| invalid(unsupported.to_string()))?;
        let object = Object { bucket: bucket.clone(), key: format!("{prefix}{}", output.key) };
        Ok(TaskOutput { object, encoding })
    };
    Ok(Task {
        job_id: job.id.clone(),
        input: Object { bucket: pipeline.input_bucket.clone(), key: input.key.unwrap_or_default() },
        demuxer: input.container.as_deref().and_then(demuxer),
        outputs: job.outputs.iter().map(output).collect::<Result<_, _>>()?,
    })
}
