//! What runs the programs: which they are, their bounds, and how many at once.

use std::path::{Path, PathBuf};

use anyhow::bail;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::process::{self, Ended};
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
    /// Runs at most so many encoders at once: more than there are cores only disturb each other. Beside the programs
    /// and the system's libraries they may read what lies in `readable`.
    pub fn new(tools: Tools, limits: Limits, encoders: usize, readable: &[PathBuf]) -> Self {
        let sandbox = Sandbox::new(&[&[tools.ffmpeg.clone(), tools.ffprobe.clone()], readable].concat());
        Self { tools, limits, sandbox, encoders, places: Semaphore::new(encoders) }
    }

    /// Sees that the programs run where they will have to: shut in, a program that needs files from elsewhere does not.
    pub async fn check(&self, directory: &Path) -> anyhow::Result<()> {
        for program in [&self.tools.ffmpeg, &self.tools.ffprobe] {
            match process::run(self, program, &["-version".to_owned()], directory).await? {
                Ended::Exited { status, .. } if status.success() => {}
                Ended::Exited { stderr, .. } => bail!(
                    "{} does not run in its sandbox ({stderr}): name the directories that it needs in \
                     SEGUE_TRANSCODER_READABLE",
                    program.display()
                ),
                Ended::TimedOut => bail!("{} does not end", program.display()),
            }
        }
        Ok(())
    }

    /// The first line of what ffmpeg says of its version.
    pub async fn version(&self, directory: &Path) -> anyhow::Result<String> {
        match process::run(self, &self.tools.ffmpeg, &["-version".to_owned()], directory).await? {
            Ended::Exited { stdout, .. } => {
                Ok(String::from_utf8_lossy(&stdout).lines().next().unwrap_or_default().to_owned())
            }
            Ended::TimedOut => bail!("{} does not end", self.tools.ffmpeg.display()),
        }
    }

    /// How many encoders may run at once.
    pub fn encoders(&self) -> usize {
        self.encoders
    }

    /// Places of encoders that nobody has or waits for.
    pub fn free(&self) -> usize {
        self.places.available_permits()
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
        let tools = Tools { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into(), coders: Default::default() };
        Self { sandbox: Sandbox::new(&programs), tools, limits, encoders: 1, places: Semaphore::new(1) }
    }
}
