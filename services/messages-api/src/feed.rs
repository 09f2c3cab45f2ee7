//! One open event stream: what its owner has not been shown yet.

use std::{collections::VecDeque, time::Duration};

use axum::response::sse::Event;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    hub::Subscription,
    notice::{Notice, Sequence},
    store::{Head, Store},
};

/// How many notices a stream holds at once.
const BATCH: i64 = 20;
/// The most notices that a reconnect replays: the newest ones. Whoever missed more reads the list.
const MAX_REPLAY: i64 = 1000;
/// A stream whose database is away tries again after this.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// Yields events for ever, or until it is told to stop or the token has expired.
pub struct Feed {
    store: Store,
    subscription: Subscription,
    /// Everything up to here was shown.
    position: Sequence,
    /// What the client knows.
    shown: Head,
    ready: VecDeque<Event>,
    stop: CancellationToken,
    until: Instant,
}

#[derive(Serialize)]
struct Pushed<'a> {
    #[serde(flatten)]
    notice: &'a Notice,
    unread: i64,
}

#[derive(Serialize)]
struct Unread {
    unread: i64,
}

impl Feed {
    /// Begins with the unread count; then comes what is newer than `last`, or than now without one.
    pub async fn open(
        store: Store,
        subscription: Subscription,
        last: Option<Sequence>,
        stop: CancellationToken,
        until: Instant,
    ) -> Result<Self, anyhow::Error> {
        // Read after the place was taken: a change meanwhile is in here or is heard of, or both.
        let head = store.head(subscription.owner()).await?;
        let position = last.map_or(head.newest, |last| start(last, head.newest));
        let first = unread_event(position, head)?.retry(RETRY);
        Ok(Self { store, subscription, position, shown: head, ready: VecDeque::from([first]), stop, until })
    }

    /// The next event, `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if self.stop.is_cancelled() || Instant::now() >= self.until {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let pause = match self.refill().await {
                Ok(true) => continue,
                Ok(false) => None,
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), "a stream could not read what is new");
                    Some(Instant::now() + PAUSE)
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep_until(self.until) => return None,
                () = self.subscription.changed(), if pause.is_none() => {}
                () = sleep_until(pause.unwrap_or(self.until)), if pause.is_some() => {}
            }
        }
    }

    /// Makes events of what the client does not know; `false` when it knows everything.
    async fn refill(&mut self) -> anyhow::Result<bool> {
        let latest = self.subscription.latest();
        let newest = latest.newest.max(self.shown.newest);
        if self.position < newest {
            let listed = self.store.after(self.subscription.owner(), self.position, BATCH).await?;
            for notice in &listed.notices {
                self.ready.push_back(notice_event(notice, listed.head)?);
            }
            // Nothing after the position, though the count knows of more: those have been removed.
            self.position = listed.notices.last().map_or(newest, |last| last.sequence);
            self.shown = listed.head;
            return Ok(true);
        }
        if latest.version > self.shown.version {
            let differs = latest.unread != self.shown.unread;
            self.shown = latest;
            if differs {
                self.ready.push_back(unread_event(self.position, latest)?);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where to begin for a client that saw `last`. A number that was never given is from before the
/// database was replaced: it counts as the newest.
fn start(last: Sequence, newest: Sequence) -> Sequence {
    let oldest = Sequence::from_i64(newest.as_i64().saturating_sub(MAX_REPLAY));
    last.min(newest).max(oldest)
}

fn notice_event(notice: &Notice, head: Head) -> Result<Event, axum::Error> {
    let pushed = Pushed { notice, unread: head.unread };
    Event::default().event("message").id(notice.sequence.to_string()).json_data(pushed)
}

/// The count alone. Its id is the place in the stream, so that a client which saw no notice yet can
/// come back to it too.
fn unread_event(position: Sequence, head: Head) -> Result<Event, axum::Error> {
    Event::default().event("unread").id(position.to_string()).json_data(Unread { unread: head.unread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_bounded() {
        let at = |last, newest| start(Sequence::from_i64(last), Sequence::from_i64(newest)).as_i64();
        assert_eq!(at(7, 9), 7);
        assert_eq!(at(0, 9), 0);
        assert_eq!(at(5, 5000), 4000);
        assert_eq!(at(99, 9), 9);
    }
}
