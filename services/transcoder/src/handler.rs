//! One message, a turn of running jobs to their ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use common::Timestamp;
use elastic_transcoder::notification::State;
use elastic_transcoder::{Failure as JobFailure, FailureCode, Job, JobInput, JobStatus, Pipeline, Preset, presets};
use queue::{Failure, Handler};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::engine::{AlbumArt, Clip, Coders, Encoding, Engine, Object, Report, Task, TaskInput, TaskOutput, demuxer};
use crate::gauge::{Progress, Reading, gauge};
use crate::message::{Message, request};
use crate::share::Sharing;
use crate::store::{self, Lease, Store};
use crate::{events, leftovers, metrics, progress};

/// Whoever runs a job says so this often, and so hears this soon that it was cancelled.
const BEAT: Duration = Duration::from_secs(5);
/// A job is somebody else's to run when its owner has said nothing for this long. Shorter than a message of a dead
/// process stays hidden, so that whoever receives it again finds the job free.
const LEASE_MS: i64 = 20_000;
/// A message is good for so much time of work; then it makes room for the next, which is a new message with all its
/// receives left.
const TURN: Duration = Duration::from_secs(10 * 60);
/// A job whose row cannot be read, perhaps because a newer version wrote it, is looked at again after this.
const UNREADABLE_MS: i64 = 5 * 60 * 1000;
/// A claim that is lost was won by somebody else; to lose so many in a row is not luck.
const CLAIMS: u32 = 100;
const CLAIMS_PAUSE: Duration = Duration::from_secs(5);
/// What a job that failed for a passing reason waits for, by how often it was begun.
const DELAYS: [u64; 5] = [1, 5, 30, 120, 300];
/// A job that still fails for a passing reason (storage away, disk full) this long after it began is ended.
/// SQS gives a message up within minutes; then the sweep asks again, so there are tries after this time.
const GIVE_UP_FAILING_MS: i64 = 60 * 60 * 1000;
/// A job that was begun this long ago and begins again has killed its process over and over: it is ended untried.
const GIVE_UP_KILLING_MS: i64 = 24 * 60 * 60 * 1000;

/// Runs jobs.
///
/// A message says that there is work, not which: the database says whose turn it is, and a lease that no two workers
/// run the same job. A message that finds nothing to do is done. One of a job that was cancelled while it ran has what the
/// job left removed.
pub struct JobHandler {
    store: Store,
    engine: Arc<Engine>,
    s3: aws_sdk_s3::Client,
    settings: Settings,
    stop: CancellationToken,
}

/// What the handler needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The full name of the queue that workers listen to.
    pub jobs_queue: String,
    /// Whether topics are told how far running jobs are.
    pub publish_progress: bool,
    /// Where segments are shared, if anywhere.
    pub sharing: Option<Sharing>,
}

/// A job that this worker has the lease of.
struct Claim {
    pipeline: Pipeline,
    job: Job,
    /// Names the claim in the database.
    owner: String,
    /// How often the job was begun, this time included.
    tries: i64,
}

impl JobHandler {
    /// Over the service's tables and its engine. Once `stop` is cancelled no further job is begun.
    pub fn new(
        store: Store,
        engine: Arc<Engine>,
        s3: aws_sdk_s3::Client,
        settings: Settings,
        stop: CancellationToken,
    ) -> Self {
        Self { store, engine, s3, settings, stop }
    }

    /// Runs jobs until none is left or the turn is over.
    async fn turn(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        while let Some(claim) = self.claim().await? {
            let span = tracing::info_span!("job", job_id = claim.job.id);
            self.run(&claim).instrument(span).await?;
            if begun.elapsed() > TURN || self.stop.is_cancelled() {
                return Ok(self.pass_on(&claim.job.id).await?);
            }
        }
        Ok(())
    }

    /// Removes what a cancelled job has stored. Whoever runs a job does that too, but may have died before it was cancelled.
    async fn tidy(&self, job_id: &str) -> Result<(), Failure> {
        let mut connection = self.store.database.pool().acquire().await?;
        // One that cannot be read is a matter of claiming.
        let Ok(Some(job)) = store::find_job(&mut connection, job_id).await else { return Ok(()) };
        if job.status != JobStatus::Canceled || job.timing.start_time_millis.is_none() {
            return Ok(());
        }
        let Some(pipeline) = store::find_pipeline_of_job(&mut connection, &job.pipeline_id).await? else {
            return Ok(());
        };
        drop(connection);
        let presets = custom_presets(&self.store, &job).await?;
        if let Ok(task) = task(&pipeline, &job, &presets, self.engine.runner.tools.coders) {
            leftovers::remove(&self.s3, &task).await;
        }
        Ok(())
    }

    /// Has somebody go on with what waits.
    async fn pass_on(&self, job_id: &str) -> Result<(), sqlx::Error> {
        let mut transaction = self.store.begin().await?;
        self.store.outbox.put(&mut transaction, &request(&self.settings.jobs_queue, job_id)).await?;
        self.store.commit(transaction).await
    }

    async fn claim(&self) -> Result<Option<Claim>, Failure> {
        for _ in 0..CLAIMS {
            // Reading first keeps the many messages that find nothing from taking SQLite's write lock.
            let mut connection = self.store.database.pool().acquire().await?;
            let Some(job_id) = store::next_job(&mut connection, Timestamp::now()).await? else { return Ok(None) };
            drop(connection);
            if let Some(claim) = self.try_claim(&job_id).await? {
                return Ok(Some(claim));
            }
        }
        Err(Failure::RetryAfter(CLAIMS_PAUSE, anyhow::anyhow!("{CLAIMS} claims in a row were lost to other workers")))
    }

    /// Takes a job and, when it is new, moves it to Progressing and tells about it, once.
    async fn try_claim(&self, job_id: &str) -> Result<Option<Claim>, Failure> {
        let now = Timestamp::now();
        let mut transaction = self.store.begin().await?;
        let mut job = match store::find_job(&mut transaction, job_id).await {
            Ok(Some(job)) => job,
            Ok(None) => return Ok(None),
            Err(sqlx::Error::Decode(cause)) => {
                tracing::error!(job_id, %cause, "a job cannot be read, by this version at least; others go first");
                store::set_aside(&mut transaction, job_id, later(now, UNREADABLE_MS)).await?;
                self.store.commit(transaction).await?;
                return Ok(None);
            }
            Err(cause) => return Err(cause.into()),
        };
        let pipeline =
            store::find_pipeline_of_job(&mut transaction, &job.pipeline_id).await?.context("a job has no pipeline")?;
        let from = job.status;
        match from {
            JobStatus::Submitted => progress::start(&mut job, now),
            JobStatus::Progressing => {}
            JobStatus::Complete | JobStatus::Canceled | JobStatus::Error => return Ok(None),
        }
        let lease = lease(&Uuid::new_v4().to_string());
        let Some(tries) = store::claim_job(&mut transaction, &job, from, &lease, now).await? else { return Ok(None) };
        if from == JobStatus::Submitted {
            let notification = events::notification(&job, State::Progressing, None);
            if let Some(outgoing) = events::outgoing(&pipeline, &notification) {
                self.store.outbox.put(&mut transaction, &outgoing).await?;
            }
        }
        self.store.commit(transaction).await?;
        Ok(Some(Claim { pipeline, job, owner: lease.owner, tries }))
    }

    async fn run(&self, claim: &Claim) -> Result<(), Failure> {
        let job_id = claim.job.id.as_str();
        let running_ms = || Timestamp::now().as_millis() - claim.job.timing.start_time_millis.unwrap_or(i64::MAX);
        let failed = |failure| Report { detected: Vec::new(), outcome: Err(failure) };
        if running_ms() > GIVE_UP_KILLING_MS {
            tracing::error!(job_id, "job given up: it was begun before and has not ended within a day");
            return self.finish(claim, &failed(given_up()), None).await;
        }
        let presets = custom_presets(&self.store, &claim.job).await?;
        let mut task = match task(&claim.pipeline, &claim.job, &presets, self.engine.runner.tools.coders) {
            Ok(task) => task,
            Err(failure) => return self.finish(claim, &failed(failure), None).await,
        };
        task.offers = self.settings.sharing.as_ref().map(|sharing| sharing.offers(job_id, &claim.owner));
        let (gauge, reading) = gauge();
        let begun = Instant::now();
        let ran = tokio::select! {
            ran = self.engine.run(&task, &gauge) => ran,
            // Dropping the engine's work kills its ffmpeg.
            () = self.keep(claim, &reading) => {
                let stopped = self.stopped(job_id, &task).await;
                self.clear(claim).await;
                return stopped;
            }
        };
        // The lease is not renewed any more, so what is only tidied up comes last.
        let ended = match ran {
            Ok(report) => {
                metrics::worked(begun.elapsed(), &report.detected, report.outcome.is_ok());
                self.finish(claim, &report, Some(&task)).await
            }
            Err(cause) if running_ms() > GIVE_UP_FAILING_MS => {
                tracing::error!(job_id, cause = format!("{cause:#}"), "job given up");
                self.finish(claim, &failed(given_up()), Some(&task)).await
            }
            Err(cause) => self.put_off(claim, cause).await,
        };
        self.clear(claim).await;
        ended
    }

    /// Nothing of the job is with helpers any more.
    async fn clear(&self, claim: &Claim) {
        if let Some(sharing) = &self.settings.sharing {
            sharing.clear(&claim.owner).await;
        }
    }

    /// Says that this worker runs the job, and how far it is, until the job is no longer its own.
    async fn keep(&self, claim: &Claim, reading: &Reading) {
        let mut told = None;
        loop {
            tokio::time::sleep(BEAT).await;
            let progress = reading.last();
            match self.renew(claim, progress, progress.filter(|_| progress != told)).await {
                Ok(true) => told = progress,
                Ok(false) => return,
                // Whatever happens meanwhile, only one of two can end the job.
                Err(cause) => tracing::warn!(job_id = claim.job.id, %cause, "cannot renew the lease of a job"),
            }
        }
    }

    /// False when the job is no longer this worker's. What is `new` is published, if that is wanted.
    async fn renew(
        &self,
        claim: &Claim,
        progress: Option<Progress>,
        new: Option<Progress>,
    ) -> Result<bool, sqlx::Error> {
        let mut transaction = self.store.begin().await?;
        if !store::renew(&mut transaction, &claim.job.id, &lease(&claim.owner), progress).await? {
            return Ok(false);
        }
        let new = new.filter(|_| self.settings.publish_progress).map(|new| events::progress(&claim.job, new));
        if let Some(outgoing) = new.and_then(|notification| events::outgoing(&claim.pipeline, &notification)) {
            self.store.outbox.put(&mut transaction, &outgoing).await?;
        }
        self.store.commit(transaction).await?;
        Ok(true)
    }

    /// The job is no longer this worker's: somebody cancelled it, or has taken it over.
    async fn stopped(&self, job_id: &str, task: &Task) -> Result<(), Failure> {
        let mut connection = self.store.database.pool().acquire().await?;
        let job = store::find_job(&mut connection, job_id).await?;
        drop(connection);
        let cancelled = job.is_some_and(|job| job.status == JobStatus::Canceled);
        tracing::info!(job_id, cancelled, "job stopped");
        if cancelled {
            leftovers::remove(&self.s3, task).await;
        }
        Ok(())
    }

    /// Lets go of a job that failed for a passing reason, and has the message come when it may be tried again.
    async fn put_off(&self, claim: &Claim, cause: anyhow::Error) -> Result<(), Failure> {
        let index = usize::try_from(claim.tries).unwrap_or_default().clamp(1, DELAYS.len()) - 1;
        let delay = Duration::from_secs(DELAYS[index]);
        let not_before = later(Timestamp::now(), delay.as_millis() as i64);
        let mut connection = self.store.database.pool().acquire().await?;
        store::release(&mut connection, &claim.job.id, &claim.owner, not_before).await?;
        Err(Failure::RetryAfter(delay, cause.context(format!("job {}", claim.job.id))))
    }

    /// Moves a job to its end and tells about it, once. If it was cancelled meanwhile, what the task stored goes.
    async fn finish(&self, claim: &Claim, report: &Report, task: Option<&Task>) -> Result<(), Failure> {
        let job_id = claim.job.id.as_str();
        let mut transaction = self.store.begin().await?;
        let Some(mut job) = store::find_job(&mut transaction, job_id).await? else { return Ok(()) };
        let pipeline =
            store::find_pipeline_of_job(&mut transaction, &job.pipeline_id).await?.context("a job has no pipeline")?;
        let detail = progress::finish(&mut job, report, Uuid::new_v4(), Timestamp::now());
        if !store::end_job(&mut transaction, &job, &claim.owner).await? {
            drop(transaction);
            return match task {
                Some(task) => self.stopped(job_id, task).await,
                None => Ok(()),
            };
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
        metrics::ended(job.status);
        tracing::info!(job_id, status = %job.status, "job ended");
        Ok(())
    }
}

impl Handler for JobHandler {
    async fn handle(&self, message: &queue::Message) -> Result<(), Failure> {
        let job_id = Message::parse(&message.body).map_err(Failure::Reject)?;
        self.tidy(&job_id).await?;
        self.turn().await
    }

    async fn ready(&self) -> bool {
        self.store.database.ping().await.is_ok()
    }
}

fn lease(owner: &str) -> Lease {
    Lease { owner: owner.to_owned(), until: later(Timestamp::now(), LEASE_MS) }
}

fn later(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(time.as_millis() + millis)
}

fn given_up() -> JobFailure {
    JobFailure::new(FailureCode::Internal, "An internal error kept the job from being done.")
}

/// The presets of the job that clients made.
pub async fn custom_presets(store: &Store, job: &Job) -> Result<HashMap<String, Preset>, sqlx::Error> {
    let mut found = HashMap::new();
    let ids = job.outputs.iter().map(|output| &output.preset_id).filter(|id| presets::get(id).is_none());
    for id in ids {
        let mut connection = store.database.pool().acquire().await?;
        if let Some(preset) = store::find_preset_of_job(&mut connection, id).await? {
            found.insert(id.clone(), preset);
        }
    }
    Ok(found)
}

/// What the engine has to do. It was checked when the job came, so a failure means that this version knows less than
/// the one that took the job, or that a preset was deleted very long ago.
pub fn task(
    pipeline: &Pipeline,
    job: &Job,
    custom: &HashMap<String, Preset>,
    coders: Coders,
) -> Result<Task, JobFailure> {
    let input = |input: &JobInput| TaskInput {
        object: Object { bucket: pipeline.input_bucket.clone(), key: input.key.clone().unwrap_or_default() },
        demuxer: input.container.as_deref().and_then(demuxer),
        clip: input.time_span.as_ref().and_then(Clip::of),
    };
    let bucket = pipeline.content_config.bucket.clone().unwrap_or_default();
    let prefix = job.output_key_prefix.as_deref().unwrap_or_default();
    let output = |output: &elastic_transcoder::JobOutput| {
        let invalid = |what: String| JobFailure::new(FailureCode::Validation, what);
        let preset = presets::get(&output.preset_id)
            .or_else(|| custom.get(&output.preset_id))
            .ok_or_else(|| invalid(format!("no preset {}", output.preset_id)))?;
        let encoding = Encoding::of(preset, coders).map_err(|unsupported| invalid(unsupported.to_string()))?;
        let object = Object { bucket: bucket.clone(), key: format!("{prefix}{}", output.key) };
        let art = output.album_art.as_ref();
        let art = art.map(|art| AlbumArt::of(art, &preset.container, &pipeline.input_bucket));
        let span = output.composition.iter().flatten().find_map(|clip| clip.time_span.as_ref());
        let album_art = art.transpose().map_err(invalid)?;
        Ok(TaskOutput { object, clip: span.and_then(Clip::of), encoding, album_art })
    };
    Ok(Task {
        job_id: job.id.clone(),
        inputs: job.inputs.iter().map(input).collect(),
        outputs: job.outputs.iter().map(output).collect::<Result<_, _>>()?,
        offers: None,
    })
}
