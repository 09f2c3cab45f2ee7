//! The side of a process with places to spare: encodes segments of jobs that others run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use common::Timestamp;
use queue::Stop;
use sqlx::Any;
use sqlx::pool::PoolConnection;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{LARGEST, Sharing, plain};
use crate::engine::{Engine, Part, Room, Task, make};
use crate::handler::{custom_presets, task};
use crate::store::{self, Lease, Offer, OfferState, Store};

/// How often a process that could help looks for something to do. It is a look into an index of a table that is mostly
/// empty.
const LOOK: Duration = Duration::from_secs(1);
/// A helper that failed leaves the next segments to others for so long.
const REST: Duration = Duration::from_secs(30);
/// A helper says so often that it is at it, and so hears this soon that nobody wants its work any more.
const BEAT: Duration = Duration::from_secs(2);
/// A helper that was not heard of for so long is taken for dead. Shorter than the lease of a job: somebody waits.
const LEASE_MS: i64 = 10_000;
/// How often a helper looks whether the samples are there.
const PACE: Duration = Duration::from_millis(250);
/// The longest that it waits for them.
const SAMPLES: Duration = Duration::from_secs(60);

/// Helps others.
#[derive(Debug)]
pub struct Helper {
    store: Store,
    engine: Arc<Engine>,
    sharing: Sharing,
    /// Segments that are claimed and have no place of an encoder yet.
    waiting: AtomicUsize,
}

/// A segment that is this process's to encode.
struct Claim {
    offer: Offer,
    /// Names the claim in the database.
    helper: String,
}

/// Counts a segment as waiting.
struct Waiting(Arc<Helper>);

impl Waiting {
    fn new(helper: &Arc<Helper>) -> Self {
        helper.waiting.fetch_add(1, Ordering::Relaxed);
        Self(helper.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Helper {
    /// Over the process's own engine, whose places are shared with its own jobs.
    pub fn new(store: Store, engine: Arc<Engine>, sharing: Sharing) -> Arc<Self> {
        Arc::new(Self { store, engine, sharing, waiting: AtomicUsize::new(0) })
    }

    /// Looks for offers until the process stops, then ends what it has begun.
    pub async fn run(self: Arc<Self>, stop: Stop) -> anyhow::Result<()> {
        // What is dropped stops, and its ffmpeg with it.
        let mut helps = JoinSet::new();
        let mut rest = Instant::now();
        while !stop.intake.is_cancelled() {
            while let Some(helped) = helps.try_join_next() {
                // One that panicked has failed too.
                if !helped.unwrap_or(false) {
                    rest = Instant::now() + REST;
                }
            }
            if rest <= Instant::now()
                && let Some(claim) = self.look().await
            {
                let (this, waiting) = (self.clone(), Waiting::new(&self));
                helps.spawn(async move { this.help(claim, waiting).await });
                continue;
            }
            tokio::select! {
                () = stop.intake.cancelled() => {}
                () = sleep(LOOK) => {}
                Some(helped) = helps.join_next() => if !helped.unwrap_or(false) { rest = Instant::now() + REST },
            }
        }
        tokio::select! {
            () = stop.work.cancelled() => {}
            _ = async { while helps.join_next().await.is_some() {} } => {}
        }
        Ok(())
    }

    async fn look(&self) -> Option<Claim> {
        // While the process runs no job, one more: its samples travel while others are encoded.
        let ahead = usize::from(self.sharing.jobs_running() == 0);
        if self.waiting.load(Ordering::Relaxed) >= self.engine.runner.free() + ahead {
            return None;
        }
        self.claim().await.unwrap_or_else(|cause| {
            tracing::warn!(%cause, "cannot look for segments of others");
            None
        })
    }

    async fn claim(&self) -> Result<Option<Claim>, sqlx::Error> {
        let (mut connection, now) = (self.connection().await?, Timestamp::now());
        // Jobs go first.
        if store::next_job(&mut connection, now).await?.is_some() {
            return Ok(None);
        }
        let Some(id) = store::next_offer(&mut connection, &self.sharing.form, now).await? else { return Ok(None) };
        let helper = Uuid::new_v4().to_string();
        let offer = store::claim_offer(&mut connection, &id, &lease(&helper)).await?;
        Ok(offer.map(|offer| Claim { offer, helper }))
    }

    /// False when this process had better not try the next soon.
    async fn help(&self, claim: Claim, waiting: Waiting) -> bool {
        let Claim { offer, helper } = &claim;
        let made = tokio::select! {
            made = self.make(&claim, waiting) => made,
            () = self.keep(&claim) => {
                tracing::info!(job_id = offer.job_id, "nobody wants a segment any more");
                self.remove(offer).await;
                return true;
            }
        };
        let Err(cause) = made else { return true };
        tracing::warn!(job_id = offer.job_id, cause = format!("{cause:#}"), "cannot encode a segment for others");
        let failed = async { store::offer_failed(&mut *self.connection().await?, &offer.id, helper).await };
        if let Err(cause) = failed.await {
            tracing::warn!(job_id = offer.job_id, %cause, "cannot say so; its job waits for the end of the lease");
        }
        false
    }

    async fn make(&self, claim: &Claim, waiting: Waiting) -> anyhow::Result<()> {
        let Claim { offer, helper } = claim;
        let (task, part) = self.read(offer).await?;
        tokio::time::timeout(SAMPLES, self.ready(offer)).await.context("the samples did not come")??;
        let directory = self.engine.scratch.directory().context("cannot make a scratch directory")?;
        tokio::select! {
            encoded = self.encode(offer, directory.path(), (&task, &part), waiting) => encoded?,
            full = self.engine.scratch.outgrown(&directory) => bail!("there is no disk space for it ({:?})", full?),
        }
        // Removing large files takes time that nobody has to wait for.
        tokio::task::spawn_blocking(move || drop(directory));
        if !store::offer_is_done(&mut *self.connection().await?, &offer.id, helper).await? {
            self.remove(offer).await;
        }
        Ok(())
    }

    /// From samples in the bucket to parts in the bucket.
    async fn encode(
        &self,
        offer: &Offer,
        directory: &Path,
        (task, part): (&Task, &Part),
        waiting: Waiting,
    ) -> anyhow::Result<()> {
        let (storage, samples) = (&self.engine.storage, directory.join(part.samples()));
        storage.fetch(&self.sharing.samples(offer), &samples, &Room::new(LARGEST)).await.map_err(plain)?;
        let place = self.engine.runner.place().await;
        drop(waiting);
        make(&self.engine.runner, directory, task, part).await.map_err(plain)?;
        drop(place);
        for name in part.files() {
            let path = directory.join(&name);
            let bytes = tokio::fs::metadata(&path).await?.len();
            ensure!(bytes <= LARGEST, "a file of {bytes} bytes is not shared");
            let object = self.sharing.object(offer, &name);
            storage.store(&path, bytes, &object, "application/octet-stream", &offer.job_id).await.map_err(plain)?;
        }
        Ok(())
    }

    /// What there is to do, as whoever runs the job would do it.
    async fn read(&self, offer: &Offer) -> anyhow::Result<(Task, Part)> {
        let mut connection = self.connection().await?;
        let job = store::find_job(&mut connection, &offer.job_id).await?.context("the job is gone")?;
        let pipeline = store::find_pipeline_of_job(&mut connection, &job.pipeline_id).await?;
        drop(connection);
        let presets = custom_presets(&self.store, &job).await?;
        let task = task(&pipeline.context("a job has no pipeline")?, &job, &presets, self.engine.runner.tools.coders);
        let task = task.map_err(|failure| anyhow!("{failure:?}"))?;
        let part: Part = serde_json::from_str(&offer.document)?;
        part.check(&task)?;
        Ok((task, part))
    }

    async fn ready(&self, offer: &Offer) -> anyhow::Result<()> {
        loop {
            match store::find_offer_state(&mut *self.connection().await?, &offer.id).await? {
                Some(OfferState::Claimed) => sleep(PACE).await,
                Some(OfferState::Ready) => return Ok(()),
                state => bail!("the samples do not come ({state:?})"),
            }
        }
    }

    /// Says that this process is at it, until nobody wants its work any more.
    async fn keep(&self, Claim { offer, helper }: &Claim) {
        loop {
            sleep(BEAT).await;
            let renewed = async { store::renew_offer(&mut *self.connection().await?, &offer.id, &lease(helper)).await };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(cause) => tracing::warn!(job_id = offer.job_id, %cause, "cannot renew the lease of a segment"),
            }
        }
    }

    /// What came too late for its offer.
    async fn remove(&self, offer: &Offer) {
        if let Err(cause) = self.sharing.remove(offer).await {
            tracing::warn!(job_id = offer.job_id, cause = format!("{cause:#}"), "cannot remove what came too late");
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Any>, sqlx::Error> {
        self.store.database.pool().acquire().await
    }
}

fn lease(helper: &str) -> Lease {
    let until = Timestamp::from_millis(Timestamp::now().as_millis() + LEASE_MS);
    Lease { owner: helper.to_owned(), until }
}

#[cfg(test)]
mod tests;
