//! Who waits for messages, and how they are woken.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::store::Transaction;

/// The longest long poll (SQS API, ReceiveMessage, `WaitTimeSeconds`).
pub(crate) const LONGEST_WAIT_MS: i64 = 20_000;

/// A bell for each queue that somebody has waited on.
#[derive(Default)]
pub(crate) struct Waiting {
    bells: Mutex<HashMap<String, Arc<Bell>>>,
}

/// Wakes the polls that wait on one queue.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) notify: Notify,
    /// When the next message becomes visible, as far as the waiting polls know. Written only
    /// after commits, which come in order, so that it is never later than the truth.
    earliest_ms: AtomicI64,
}

impl Waiting {
    /// The bell of a queue, made when there is none.
    pub(crate) fn bell(&self, queue: &str) -> Arc<Bell> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(queue) {
            return bell.clone();
        }
        let bell = Arc::new(Bell { notify: Notify::new(), earliest_ms: AtomicI64::new(i64::MAX) });
        bells.insert(queue.to_owned(), bell.clone());
        bell
    }

    /// `count` messages can be received now: wakes as many polls.
    pub(crate) fn visible(&self, queue: &str, count: usize) {
        if let Some(bell) = self.existing(queue) {
            (0..count).for_each(|_| bell.notify.notify_one());
        }
    }

    /// A message becomes visible at `due_ms`: polls that would sleep past it think again.
    pub(crate) fn visible_at(&self, queue: &str, due_ms: i64, now_ms: i64) {
        if due_ms - now_ms > LONGEST_WAIT_MS {
            // No poll that waits now still waits then.
            return;
        }
        if let Some(bell) = self.existing(queue)
            && due_ms < bell.earliest_ms.fetch_min(due_ms, Ordering::SeqCst)
        {
            bell.notify.notify_waiters();
        }
    }

    /// A message can be received at `due_ms`, which may be now: does what of the two above is right.
    fn due(&self, queue: &str, due_ms: i64, now_ms: i64) {
        if due_ms > now_ms {
            self.visible_at(queue, due_ms, now_ms);
        } else {
            self.visible(queue, 1);
        }
    }

    /// The queue is gone or works differently: its polls find that out.
    pub(crate) fn changed(&self, queue: &str) {
        if let Some(bell) = self.existing(queue) {
            bell.notify.notify_waiters();
        }
    }

    /// Forgets the bells that no poll holds, among them those of queues that are gone or never were.
    pub(crate) fn prune(&self) {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|_, bell| Arc::strong_count(bell) > 1);
    }

    fn existing(&self, queue: &str) -> Option<Arc<Bell>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).get(queue).cloned()
    }
}

/// Tells the polls of a queue after the commit that a message can be received at `due_ms`.
pub(crate) fn wake(tx: &mut Transaction<'_>, waiting: &Arc<Waiting>, queue: &str, due_ms: i64, now_ms: i64) {
    let (waiting, queue) = (waiting.clone(), queue.to_owned());
    tx.after_commit(move || waiting.due(&queue, due_ms, now_ms));
}

impl Bell {
    /// What a poll that found nothing saw.
    pub(crate) fn expect(&self, due_ms: i64) {
        self.earliest_ms.store(due_ms, Ordering::SeqCst);
    }
}

/// Passes a wake-up on when the poll that got it ends before it has looked, for example because
/// its client went away.
pub(crate) struct PassOn<'a> {
    bell: &'a Bell,
    armed: bool,
}

impl<'a> PassOn<'a> {
    pub(crate) fn new(bell: &'a Bell) -> Self {
        Self { bell, armed: true }
    }

    /// The poll has looked.
    pub(crate) fn done(mut self) {
        self.armed = false;
    }
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.bell.notify.notify_one();
        }
    }
}
