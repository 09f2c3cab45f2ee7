//! What the transcoder remembers: pipelines, presets and jobs, each as the document that the API shows.

mod jobs;
mod offers;
pub mod old;
mod pipelines;
mod presets;
mod turns;

use database::Database;
use queue::Outbox;
use sqlx::migrate::Migrator;
use sqlx::{Any, Transaction};

pub use jobs::{
    Created, count_in, count_waiting, create_job, find_job, jobs_by_pipeline, jobs_by_status, see_job, update_job,
    waiting,
};
pub use offers::{
    Offer, OfferState, Seen, claim_offer, create_offer, delete_offer, end_offer, find_offer_state, next_offer,
    offer_failed, offer_is_done, offer_is_ready, offers_of_run, renew_offer, see_offers, stale_offers, withdraw_offer,
};
pub use pipelines::{
    Hold, count_pipelines, create_pipeline, delete_pipeline, find_pipeline, find_pipeline_of_job, hold_pipeline,
    pipelines, update_pipeline,
};
pub use presets::{count_presets, create_preset, delete_preset, find_preset, find_preset_of_job, presets};
pub use turns::{Lease, claim_job, end_job, next_job, release, renew, set_aside, take_ended, take_waiting};

/// This service's tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!();
/// The PostgreSQL schema that holds them.
pub const SCHEMA: &str = "transcoder";
/// How many things one page of a list has. The original's number was never published.
pub const PAGE: i64 = 50;

/// The database and its outbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// The tables.
    pub database: Database,
    /// Messages that leave with a committed change.
    pub outbox: Outbox,
}

impl Store {
    /// Over a database that has been migrated.
    pub fn new(database: Database) -> Self {
        let outbox = Outbox::new(database.pool().clone());
        Self { database, outbox }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.database.begin().await
    }

    /// Commits, and sends what was put into the outbox.
    pub async fn commit(&self, transaction: Transaction<'_, Any>) -> Result<(), sqlx::Error> {
        self.outbox.commit(transaction).await
    }
}

/// A part of a list, by id, which is by time.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// Oldest first.
    pub ascending: bool,
    /// The last id of the part before.
    pub after: Option<&'a str>,
}

impl Slice<'_> {
    /// The bound of the ids that follow. Ids begin with digits, so a letter is above them all in every collation.
    fn bound(&self) -> &str {
        self.after.unwrap_or(if self.ascending { "" } else { "a" })
    }
}

/// At most [`PAGE`] documents, and the token of the next page.
pub type Page<T> = (Vec<T>, Option<String>);

/// Cuts off the one row more that was read to see whether there is a next page.
pub fn page<T>(mut rows: Vec<T>, id: impl Fn(&T) -> &str) -> Page<T> {
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let next = rows.last().filter(|_| more).map(|last| id(last).to_owned());
    (rows, next)
}

fn encode<T: serde::Serialize>(document: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(document).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn decode<T: serde::de::DeserializeOwned>(document: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(document).map_err(|error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests;
