//! What every handler and task shares.

use std::sync::Arc;

use database::Database;
use tokio::sync::Notify;

use crate::{body::Pace, intake::Intake, requests::Requests, storage::Storage};

/// Clients, pools and settings. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The service's tables.
    pub database: Database,
    /// The bucket.
    pub storage: Storage,
    /// Transcode requests, sent with the change that causes them.
    pub requests: Requests,
    /// Takes bodies.
    pub intake: Arc<Intake>,
    /// Wakes the task that removes the objects of deleted files.
    pub purge: Wake,
    /// The bounds of a body.
    pub bounds: Bounds,
}

/// The bounds of a body.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// How slowly it may come.
    pub pace: Pace,
}

/// Wakes a task of this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Has the task look now.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits to be woken.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
