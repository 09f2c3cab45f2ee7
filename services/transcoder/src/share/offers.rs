//! The side of whoever runs the job: offers what waits, hands over what is claimed, takes back what is late.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use common::Timestamp;
use sqlx::Any;
use sqlx::pool::PoolConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::{LARGEST, Sharing, plain};
use crate::engine::{Part, Room};
use crate::store::{self, Offer, OfferState, Seen};

/// The most segments of one job that are offered or with helpers, and so the most that lie on disk for them.
pub const LENT: usize = 8;
/// How often a job looks at what it has offered, while it has.
const PACE: Duration = Duration::from_millis(500);
/// The longest from a claim until what was made is back; a segment takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// A job that got so many segments in a row back unmade offers no more of them.
const FAILURES: u32 = 3;

/// Counts a segment among those that are offered or with helpers.
pub type Lent = OwnedSemaphorePermit;

/// What one running job offers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Offers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sharing: Sharing,
    job_id: String,
    run: String,
    lent: Arc<Semaphore>,
    seen: watch::Sender<Vec<Seen>>,
    failures: AtomicU32,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.sharing.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Offers {
    pub(super) fn new(sharing: Sharing, job_id: &str, run: &str) -> Self {
        sharing.running.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Inner {
            sharing,
            job_id: job_id.to_owned(),
            run: run.to_owned(),
            lent: Arc::new(Semaphore::new(LENT)),
            seen: watch::Sender::new(Vec::new()),
            failures: AtomicU32::new(0),
        }))
    }

    /// Does the work, and looks meanwhile at what it has offered.
    pub async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.look() => match never {},
        }
    }

    async fn look(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(PACE).await;
            if self.0.lent.available_permits() == LENT {
                continue;
            }
            let seen = async { store::see_offers(&mut *self.connection().await?, &self.0.run).await };
            match seen.await {
                Ok(seen) => drop(self.0.seen.send_replace(seen)),
                // Whoever waits for a helper does not wait for ever.
                Err(cause) => tracing::warn!(job_id = self.0.job_id, %cause, "cannot look at offered segments"),
            }
        }
    }

    /// Waits until a segment may be offered: for ever, when helpers only did harm.
    pub async fn room(&self) -> Lent {
        let lent = self.0.lent.clone().acquire_owned().await.expect("the semaphore is never closed");
        if self.0.failures.load(Ordering::Relaxed) >= FAILURES {
            drop(lent);
            return std::future::pending().await;
        }
        lent
    }

    /// Offers a segment; `None` when that cannot be done.
    pub async fn offer(&self, part: &Part) -> Option<Offer> {
        let created = async {
            let offer = Offer {
                id: Uuid::now_v7().to_string(),
                job_id: self.0.job_id.clone(),
                run: self.0.run.clone(),
                form: self.0.sharing.form.clone(),
                document: serde_json::to_string(part)?,
            };
            store::create_offer(&mut *self.connection().await?, &offer).await?;
            anyhow::Ok(offer)
        };
        let warn = |cause: &anyhow::Error| {
            tracing::warn!(job_id = self.0.job_id, cause = format!("{cause:#}"), "cannot offer a segment");
        };
        created.await.inspect_err(warn).ok()
    }

    /// Takes an offer back that nobody has claimed. False when a helper has it.
    pub async fn withdraw(&self, offer: &Offer) -> bool {
        let withdrawn = async { store::withdraw_offer(&mut *self.connection().await?, &offer.id).await };
        withdrawn.await.unwrap_or_else(|cause| {
            // A helper may claim it yet, and then waits for samples that never come, as long as it waits for any.
            tracing::warn!(job_id = offer.job_id, %cause, "cannot take back the offer of a segment");
            true
        })
    }

    /// Waits until a helper has the offer.
    pub async fn claimed(&self, offer: &Offer) {
        self.seen(offer, |seen| seen.state != OfferState::Offered).await;
    }

    /// Hands the samples over and brings the files that were made of them into `directory`. An error means that the
    /// segment is still to be encoded.
    pub async fn through(
        &self,
        offer: &Offer,
        samples: &Path,
        directory: &Path,
        files: &[String],
    ) -> anyhow::Result<()> {
        let made = tokio::time::timeout(PATIENCE, self.hand_over(offer, samples, directory, files)).await;
        let made = made.unwrap_or_else(|_| bail!("a helper took more than {} s", PATIENCE.as_secs()));
        match &made {
            Ok(()) => self.0.failures.store(0, Ordering::Relaxed),
            Err(_) => drop(self.0.failures.fetch_add(1, Ordering::Relaxed)),
        }
        // Nobody waits for what is only tidied up; the sweep does what this cannot.
        let (sharing, offer) = (self.0.sharing.clone(), offer.clone());
        tokio::spawn(async move { sharing.end(&offer).await });
        made
    }

    async fn hand_over(&self, offer: &Offer, samples: &Path, directory: &Path, files: &[String]) -> anyhow::Result<()> {
        let sharing = &self.0.sharing;
        let bytes = tokio::fs::metadata(samples).await?.len();
        ensure!(bytes <= LARGEST, "a segment of {bytes} bytes is not shared");
        let object = sharing.samples(offer);
        sharing
            .storage
            .store(samples, bytes, &object, "application/octet-stream", &offer.job_id)
            .await
            .map_err(plain)?;
        let ready = store::offer_is_ready(&mut *self.connection().await?, &offer.id).await?;
        ensure!(ready, "a helper gave up before it had the samples");
        let over = |seen: &Seen| match seen.state {
            OfferState::Claimed | OfferState::Ready => seen.lease_until <= Timestamp::now(),
            _ => true,
        };
        match self.seen(offer, over).await {
            OfferState::Done => {}
            OfferState::Claimed | OfferState::Ready => bail!("a helper was not heard of any more"),
            OfferState::Offered | OfferState::Failed | OfferState::Ended => bail!("a helper gave up"),
        }
        for name in files {
            let object = sharing.object(offer, name);
            // What is given up in the middle may still be written to: it must not be what is encoded instead.
            let fetched = directory.join(format!("{name}-fetched"));
            sharing.storage.fetch(&object, &fetched, &Room::new(LARGEST)).await.map_err(plain)?;
            tokio::fs::rename(fetched, directory.join(name)).await?;
        }
        Ok(())
    }

    /// The state of an offer once the condition holds. A row that was not seen yet says nothing.
    async fn seen(&self, offer: &Offer, condition: impl Fn(&Seen) -> bool) -> OfferState {
        let mut seen = self.0.seen.subscribe();
        loop {
            let found = seen.borrow_and_update().iter().find(|seen| seen.id == offer.id && condition(seen)).cloned();
            if let Some(found) = found {
                return found.state;
            }
            // The sender lives as long as this.
            let _ = seen.changed().await;
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Any>, sqlx::Error> {
        self.0.sharing.store.database.pool().acquire().await
    }
}

#[cfg(test)]
mod tests;
