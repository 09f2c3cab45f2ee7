//! The work of a move task, in the background.
//!
//! Each step is one transaction that moves messages and counts them, so a step is done whole or not
//! at all, and a task goes on after a restart where it was.

use std::{sync::Arc, time::Duration};

use rusqlite::Connection;
use tokio::time::sleep;
use uuid::Uuid;

use super::task::{Status, Task};
use crate::{
    Context,
    sqs::{
        error::{Error, kind},
        groups, now_ms,
        queue::{self, NewMessage, Queue},
        send,
        take::{self, Stored},
        waiting::{self, Waiting},
    },
    store::Transaction,
};

/// Messages in one step, so that others need not wait long for the store.
const AT_A_TIME: usize = 100;
/// The steps in a second of a task with a rate.
const STEPS: i64 = 10;
/// `FailureReason` of a message that was sent straight to the dead-letter queue.
const NO_ORIGIN: &str = "CouldNotDetermineMessageSource";
/// How long after a failure of the store the same step is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What a step works with.
struct Mover {
    context: Arc<Context>,
    waiting: Arc<Waiting>,
}

/// What comes after a step.
enum Next {
    Now,
    After(Duration),
    End,
}

/// Works on a task until it ends or nobody else holds the context: a task must not keep a data
/// directory open that everybody has let go of.
pub(super) fn spawn(context: &Arc<Context>, waiting: Arc<Waiting>, task: i64) {
    let context = Arc::downgrade(context);
    tokio::spawn(async move {
        while let Some(context) = context.upgrade() {
            let mover = Mover { context, waiting: waiting.clone() };
            match mover.run_step(task).await {
                Ok(Next::Now) => {}
                Ok(Next::After(pause)) => sleep(pause).await,
                Ok(Next::End) => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "messages could not be moved");
                    sleep(RETRY).await;
                }
            }
        }
    });
}

impl Mover {
    /// Lets go of everything before the pause.
    async fn run_step(self, task: i64) -> Result<Next, Error> {
        let store = self.context.store.clone();
        store.write(move |tx| self.step(tx, task)).await
    }

    fn step(&self, tx: &mut Transaction<'_>, task: i64) -> Result<Next, Error> {
        // Cancelled, or gone with its queue.
        let Some(task) = Task::find(tx, task)?.filter(|task| task.status == Status::Running) else {
            return Ok(Next::End);
        };
        let Some(source) = queue::find(tx, &task.source)? else { return Ok(Next::End) };
        let (most, pause) = pace(task.per_second);
        let messages = movable(tx, &source, task.started_ms, most)?;
        if messages.is_empty() {
            task.end(tx, Status::Completed, None)?;
            return Ok(Next::End);
        }
        let mut moved = 0;
        let expired_ms = source.expired_ms(now_ms());
        for message in &messages {
            if message.sent_ms <= expired_ms {
                remove(tx, &self.waiting, &source, message)?;
                continue;
            }
            match self.destination(tx, &task, &source, message)? {
                Ok(queue) => self.move_one(tx, &source, &queue, message)?,
                Err(reason) => {
                    task.count(tx, moved)?;
                    task.end(tx, Status::Failed, Some(reason))?;
                    return Ok(Next::End);
                }
            }
            moved += 1;
        }
        task.count(tx, moved)?;
        Ok(pause.map_or(Next::Now, Next::After))
    }

    /// Where a message goes, or the `FailureReason`.
    fn destination(
        &self,
        tx: &Connection,
        task: &Task,
        source: &Queue,
        message: &Stored,
    ) -> Result<Result<Queue, &'static str>, Error> {
        let Some(name) = task.destination.as_ref().or(message.origin.as_ref()) else { return Ok(Err(NO_ORIGIN)) };
        let queue = queue::find(tx, name)?.filter(|queue| queue.is_fifo() == source.is_fifo());
        Ok(queue.ok_or(kind::NO_SUCH_QUEUE.code))
    }

    /// It arrives as a new message, with an id, a time and a count of its own (SQS developer guide,
    /// "Configure a dead-letter queue redrive").
    fn move_one(
        &self,
        tx: &mut Transaction<'_>,
        source: &Queue,
        destination: &Queue,
        message: &Stored,
    ) -> Result<(), Error> {
        let now = now_ms();
        let row = NewMessage {
            id: &Uuid::new_v4().to_string(),
            sender: &message.sender,
            trace: message.trace.as_deref(),
            attributes: message.attributes.as_deref(),
            body: &message.body,
            group: message.group.as_deref(),
            deduplication: message.deduplication.as_deref(),
            sent_ms: now,
            visible_ms: now + destination.settings.delay * 1000,
        };
        send::enqueue(tx, destination, &self.waiting, &row)?;
        remove(tx, &self.waiting, source, message)
    }
}

/// Takes a message out of its queue.
fn remove(tx: &mut Transaction<'_>, waiting: &Arc<Waiting>, source: &Queue, message: &Stored) -> Result<(), Error> {
    tx.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([message.id])?;
    if let Some(group) = message.group.as_deref().filter(|_| source.is_fifo())
        && let Some(due_ms) = groups::refresh(tx, source.id, group)?
    {
        waiting::wake(tx, waiting, &source.name, due_ms, now_ms());
    }
    Ok(())
}

/// How many messages a step moves at most, and how long it waits then.
fn pace(per_second: Option<i64>) -> (usize, Option<Duration>) {
    match per_second {
        None => (AT_A_TIME, None),
        Some(rate) => {
            let most = usize::try_from(rate / STEPS).unwrap_or_default().max(1);
            let pause = Duration::from_secs(most as u64) / u32::try_from(rate).unwrap_or(1);
            (most, Some(pause))
        }
    }
}

/// The next messages in their order. What arrived after the start stays, so that a task ends even if
/// all that it moves comes straight back; what is in flight, or behind it in its group, stays too.
fn movable(connection: &Connection, source: &Queue, started_ms: i64, most: usize) -> Result<Vec<Stored>, Error> {
    if !source.is_fifo() {
        return take::visible(connection, source.id, started_ms, most, 0);
    }
    let mut messages = Vec::new();
    for group in groups::due(connection, source.id, started_ms, most)? {
        messages.extend(take::first(connection, source.id, &group, started_ms, most - messages.len())?);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_by_steps_and_pauses() {
        assert_eq!(pace(None), (AT_A_TIME, None));
        for rate in [1, 7, 10, 19, 500] {
            let (most, pause) = pace(Some(rate));
            let per_second = most as f64 / pause.unwrap().as_secs_f64();
            assert!((per_second - rate as f64).abs() < 0.01, "{rate}: {per_second}");
        }
    }
}
