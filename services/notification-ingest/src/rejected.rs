//! What was rejected, kept for the operator: `GET /v1/notifications/rejected`.
//!
//! Posts that are not genuine are counted and not kept: whoever makes them up could fill the table.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use common::Timestamp;
use database::Database;
use http::StatusCode;
use runtime::{Operator, Page, PageParams, Problem};
use serde::Serialize;
use uuid::Uuid;

use crate::metrics;
use crate::store::rejected::{self, NewRejected, Rejected};

/// The table is cut to its bound once in so many rows, and at start.
const TRIM_EVERY: u32 = 100;

/// Keeps what is rejected. Cheap to clone; clones share the counts.
#[derive(Clone)]
pub struct Rejects {
    database: Database,
    keep: u32,
    written: Arc<AtomicU32>,
    /// Refused posts by status. There are as many keys as the endpoint has ways to refuse.
    refused: Arc<Mutex<BTreeMap<u16, u64>>>,
}

impl Rejects {
    /// Keeps the newest `keep`, and up to a hundred more.
    pub fn new(database: Database, keep: u32) -> Self {
        Self { database, keep, written: Arc::default(), refused: Arc::default() }
    }

    /// Keeps one. When this returns, it is durable.
    pub async fn put(&self, new: NewRejected<'_>) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        self.put_in(&mut transaction, new).await?;
        transaction.commit().await
    }

    /// The same in the caller's transaction.
    pub async fn put_in(&self, connection: &mut sqlx::AnyConnection, new: NewRejected<'_>) -> Result<(), sqlx::Error> {
        let is_new = rejected::put(connection, new, Timestamp::now()).await?;
        if is_new {
            metrics::rejected(new.reason);
        }
        if is_new && self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(TRIM_EVERY) {
            rejected::trim(connection, self.keep).await?;
        }
        Ok(())
    }

    /// Counts a post that was refused.
    pub fn refused(&self, status: StatusCode) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(status.as_u16()).or_default() += 1;
    }
}

/// The operator's route; the caller guards it.
pub fn router(rejects: Rejects) -> Router {
    Router::new().route("/v1/notifications/rejected", get(list)).with_state(rejects)
}

/// What the operator sees.
#[derive(Debug, Serialize)]
struct Listing {
    #[serde(flatten)]
    page: Page<Rejected>,
    /// How many there ever were, by reason; the list holds the newest of them.
    totals: BTreeMap<String, i64>,
    /// Posts to the endpoint that were refused since this process started, by status.
    refused_posts: BTreeMap<u16, u64>,
}

async fn list(
    _: Operator,
    State(rejects): State<Rejects>,
    Query(params): Query<PageParams<Uuid>>,
) -> Result<Json<Listing>, Problem> {
    let mut connection = rejects.database.pool().acquire().await?;
    let items = rejected::list(&mut connection, params.cursor, params.limit).await?;
    let totals = rejected::counts(&mut connection).await?;
    let page = Page::new(items, params.limit, |item| item.id.clone());
    let refused_posts = rejects.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Json(Listing { page, totals, refused_posts }))
}
