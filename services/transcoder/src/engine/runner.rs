//! What runs the programs: which they are, their bounds, and how many at once.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::sandbox::Sandbox;
use super::{Limits, Tools};

/// Shared by all jobs of a process.
#[derive(Debug)]
pub struct Runner {
    /// ffmpeg and ffprobe.
    pub tools: Tools,
    /// Bounds of every task.
    pub limits: Limits,
    /// Where the programs run.
    pub sandbox: Sandbox,
    encoders: usize,
    places: Semaphore,
}

impl Runner {
    /// Runs at most so many encoders at once: more than there are cores only disturb each other.
    pub fn new(tools: Tools, limits: Limits, encoders: usize) -> Self {
        let sandbox = Sandbox::new(&[tools.ffmpeg.clone(), tools.ffprobe.clone()]);
        Self { tools, limits, sandbox, encoders, places: Semaphore::new(encoders) }
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

#[cfg(test)]
impl Runner {
    /// One that may start a shell and what is installed.
    pub fn of_shell(limits: Limits) -> Self {
        let programs = ["/bin".into(), "/usr/bin".into()];
        let tools = Tools { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into() };
        Self { sandbox: Sandbox::new(&programs), tools, limits, encoders: 1, places: Semaphore::new(1) }
    }
}
