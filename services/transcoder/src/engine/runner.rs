//! What runs the programs: which they are, their bounds, and how many at once.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Limits, Tools};

/// Shared by all jobs of a process.
#[derive(Debug)]
pub struct Runner {
    /// ffmpeg and ffprobe.
    pub tools: Tools,
    /// Bounds of every task.
    pub limits: Limits,
    encoders: usize,
    places: Semaphore,
}

impl Runner {
    /// Runs at most so many encoders at once: more than there are cores only disturb each other.
    pub fn new(tools: Tools, limits: Limits, encoders: usize) -> Self {
        Self { tools, limits, encoders, places: Semaphore::new(encoders) }
    }

    /// How many encoders may run at once.
    pub fn encoders(&self) -> usize {
        self.encoders
    }

    /// Waits for the place of an encoder; who waits longest is next.
    pub async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("the semaphore is never closed")
    }
}
