//! Segments of a long job that other processes encode: over the database and a bucket, with no connection between them.
//!
//! ```text
//! who runs the job              the row                a helper
//! a segment waits for a place   Offered
//!                               Claimed   ◄─────────── has a place to spare
//! uploads the samples ────────► Ready     ───────────► fetches and encodes them, uploads what it made
//! fetches what was made  ◄───── Done      ◄───────────
//! ```
//!
//! Whatever goes wrong on the way costs the helper's work: the segment is still on the disk of whoever runs the job.
//! See ADR 0008 (`docs/adr`).

mod help;
mod offers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow};

use crate::engine::{Engine, Object, StepError, Storage};
use crate::store::{self, Offer, Store};

pub use help::Helper;
pub use offers::{LENT, Lent, Offers};

/// Version of the document of an offer and of what a helper makes of it. Whoever changes how a segment is encoded
/// counts on: then processes of two versions leave each other's segments alone.
const VERSION: u32 = 1;
/// The most bytes that move at a time: a segment's samples, or one file that was made of them. (Two minutes of six
/// channels at 48 kHz have 138 MB.)
const LARGEST: u64 = 256 * 1024 * 1024;

/// What a process needs to share segments.
#[derive(Debug, Clone)]
pub struct Sharing {
    store: Store,
    storage: Storage,
    bucket: String,
    /// What a helper has to understand and to encode with: the same ffmpeg, so that all segments of a job sound alike.
    form: String,
    /// Jobs that run here.
    running: Arc<AtomicUsize>,
}

impl Sharing {
    /// Over a bucket that all transcoders of the database use. Fails when it cannot be read.
    pub async fn open(store: Store, engine: &Engine, bucket: &str) -> anyhow::Result<Self> {
        let storage = engine.storage.clone();
        let cannot = || format!("cannot use the bucket {bucket} (SEGUE_TRANSCODER_SHARE_BUCKET)");
        storage.check(bucket).await.with_context(cannot)?;
        let form = format!("{VERSION} {}", engine.version().await?);
        Ok(Self { store, storage, bucket: bucket.to_owned(), form, running: Arc::default() })
    }

    /// Where the segments of a job can be offered from now on; `run` is the owner in the job's lease.
    pub fn offers(&self, job_id: &str, run: &str) -> Offers {
        Offers::new(self.clone(), job_id, run)
    }

    /// Forgets what a run has offered, and removes what lies in the bucket for it.
    pub async fn clear(&self, run: &str) {
        let offers = async { store::offers_of_run(&mut *self.store.database.pool().acquire().await?, run).await };
        self.end_all(offers.await).await;
    }

    /// The same for runs whose process died.
    pub async fn sweep(&self) {
        let offers = async { store::stale_offers(&mut *self.store.database.pool().acquire().await?).await };
        self.end_all(offers.await).await;
    }

    async fn end_all(&self, offers: Result<Vec<Offer>, sqlx::Error>) {
        let offers = offers.unwrap_or_else(|cause| {
            tracing::warn!(%cause, "cannot read which segments were offered; the sweep tries again");
            Vec::new()
        });
        for offer in &offers {
            self.end(offer).await;
        }
    }

    /// Ends an offer in an order that leaves nothing: no helper can finish once its row says so, and the row stays until
    /// the objects are gone. The sweep goes on with what fails.
    async fn end(&self, offer: &Offer) {
        let ended = async {
            let mut connection = self.store.database.pool().acquire().await?;
            store::end_offer(&mut connection, &offer.id).await?;
            drop(connection);
            self.remove(offer).await?;
            let mut connection = self.store.database.pool().acquire().await?;
            store::delete_offer(&mut connection, &offer.id).await?;
            anyhow::Ok(())
        };
        if let Err(cause) = ended.await {
            let cause = format!("{cause:#}");
            tracing::warn!(job_id = offer.job_id, cause, "cannot end an offer of a segment; the sweep tries again");
        }
    }

    async fn remove(&self, offer: &Offer) -> anyhow::Result<()> {
        self.storage.remove_all(&self.bucket, &prefix(offer)).await
    }

    fn object(&self, offer: &Offer, name: &str) -> Object {
        Object { bucket: self.bucket.clone(), key: format!("{}{name}", prefix(offer)) }
    }

    fn samples(&self, offer: &Offer) -> Object {
        self.object(offer, "samples")
    }

    fn jobs_running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }
}

/// What the keys of an offer's objects begin with. Each offer has its own: who works on for one that was taken back
/// disturbs nobody.
fn prefix(offer: &Offer) -> String {
    format!("{}/{}/", offer.job_id, offer.id)
}

/// Helpers have nobody to tell what clients would be told.
fn plain(error: StepError) -> anyhow::Error {
    match error {
        StepError::Failed(failure) => anyhow!("{failure:?}"),
        StepError::Again(cause) => cause,
    }
}
