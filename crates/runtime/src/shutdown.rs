//! Stopping in two steps: first nothing new is taken in, then, at a deadline or a second signal,
//! what is still running is dropped. A task that dies stops the process with a failing exit code.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A handle to the life of the process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    intake: CancellationToken,
    work: CancellationToken,
    tasks: TaskTracker,
    failure: Mutex<Option<String>>,
}

impl Shutdown {
    /// A life that begins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when nothing new may be taken in: no request, no message.
    #[must_use]
    pub fn intake(&self) -> CancellationToken {
        self.inner.intake.clone()
    }

    /// Cancelled when work in hand must be dropped.
    #[must_use]
    pub fn work(&self) -> CancellationToken {
        self.inner.work.clone()
    }

    /// Runs a task until it ends. The process waits for it when it stops, and stops when it fails.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let this = self.clone();
        let watched = tokio::spawn(task);
        self.inner.tasks.spawn(async move {
            let failure = match watched.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{name} failed: {error:#}"),
                Err(error) => format!("{name} died: {error}"),
            };
            this.fail(failure);
        });
    }

    /// Begins to stop.
    pub fn begin(&self) {
        self.inner.intake.cancel();
    }

    /// Waits for SIGINT, SIGTERM or [`begin`](Self::begin).
    pub async fn requested(&self) -> std::io::Result<()> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = self.inner.intake.cancelled() => {}
        }
        self.begin();
        Ok(())
    }

    /// Waits until every task has ended; drops what is left after `grace` or at a second signal.
    pub async fn finish(&self, grace: Duration) -> anyhow::Result<()> {
        self.begin();
        self.inner.tasks.close();
        let again = async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::io::Result::Ok(())
        };
        tokio::select! {
            () = self.inner.tasks.wait() => {}
            () = tokio::time::sleep(grace) => tracing::warn!(?grace, "work did not end in time and is dropped"),
            _ = again => tracing::warn!("second signal: work is dropped"),
        }
        self.inner.work.cancel();
        // What is dropped hands its messages back, which is quick.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.inner.tasks.wait()).await;
        match self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(anyhow::anyhow!(failure)),
            None => Ok(()),
        }
    }

    fn fail(&self, failure: String) {
        tracing::error!("{failure}");
        self.inner.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.begin();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_task_stops_the_process_and_names_itself() {
        let shutdown = Shutdown::new();
        shutdown.spawn("consumer", async { anyhow::bail!("no queue") });
        shutdown.requested().await.unwrap();
        let error = shutdown.finish(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "consumer failed: no queue");
    }

    #[tokio::test]
    async fn work_is_dropped_at_the_deadline() {
        let shutdown = Shutdown::new();
        let work = shutdown.work();
        shutdown.spawn("job", async move {
            work.cancelled().await;
            Ok(())
        });
        shutdown.finish(Duration::from_millis(10)).await.unwrap();
    }
}
