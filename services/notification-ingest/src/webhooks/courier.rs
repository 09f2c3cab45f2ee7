//! The delivery loop: gives webhooks their turns, and makes the posts that are due.
//!
//! A turn is one webhook's: it makes a few posts at once for a short while and goes to the back of the line, so that a
//! long backlog of one holds up nobody. Webhooks that were slow or failed the last time take turns apart from the
//! others, so that the time they waste is their own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Timestamp, WebhookDisabled, event::DisabledReason, event::V1};
use database::Database;
use futures::future::join_all;
use queue::{Outbox, Outgoing, Stop, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::{
    Wake,
    client::{Attempt, Post, Poster},
    kind,
    retry::{Patience, later},
    store::turns::{self, Due, Standing, Turn},
};
use crate::metrics;

/// How often to look for what another process stored, or what is due again.
const POLL: Duration = Duration::from_millis(500);
/// How long a turn goes on taking what is due.
const TURN: Duration = Duration::from_secs(2);
/// How long a lease outlives the longest attempt: what writing it down may take.
const SLACK: Duration = Duration::from_secs(30);
/// Who took longer than this is slow.
const SLOW: Duration = Duration::from_secs(1);

/// The bounds of the loop.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Turns at once, and as many of slow webhooks.
    pub turns: usize,
    /// Posts at once of one turn.
    pub posts: i64,
    /// How long one post may take.
    pub timeout: Duration,
    /// How long targets are borne with.
    pub patience: Patience,
}

/// Posts what is due. Cheap to clone.
#[derive(Clone)]
pub struct Courier {
    /// The service's tables.
    pub database: Database,
    /// Where it is told that a webhook was switched off.
    pub outbox: Outbox,
    /// The topic that tells it.
    pub results_arn: String,
    /// Makes the posts.
    pub poster: Poster,
    /// How much at once.
    pub bounds: Bounds,
    /// Wakes the loop.
    pub wake: Wake,
}

impl Courier {
    /// Runs until `stop.intake` is cancelled and the turns in hand have ended; drops them at `stop.work`. A post that was
    /// under way then is made again.
    pub async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let lanes = [false, true].map(|slow| (slow, Arc::new(Semaphore::new(self.bounds.turns))));
        let tasks = TaskTracker::new();
        let mut failures = 0_u32;
        while !stop.intake.is_cancelled() {
            match self.begin(&lanes, &tasks, &stop).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::error!(%error, "cannot read which webhooks are due; trying again until it works");
                    }
                }
            }
            tokio::select! {
                () = stop.intake.cancelled() => {}
                () = self.wake.woken(), if failures == 0 => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// Begins as many turns as there are webhooks with something due and room for them.
    async fn begin(
        &self,
        lanes: &[(bool, Arc<Semaphore>)],
        tasks: &TaskTracker,
        stop: &Stop,
    ) -> Result<(), sqlx::Error> {
        for (slow, free) in lanes {
            let mut permits = std::iter::from_fn(|| free.clone().try_acquire_owned().ok()).collect::<Vec<_>>();
            if permits.is_empty() {
                continue;
            }
            let most = i64::try_from(permits.len()).unwrap_or(i64::MAX);
            let mut connection = self.database.pool().acquire().await?;
            let turns = turns::begin(&mut connection, *slow, most, self.lease(), Timestamp::now()).await?;
            for (turn, permit) in turns.into_iter().zip(permits.drain(..)) {
                tasks.spawn(self.clone().take(turn, permit, stop.clone()));
            }
        }
        Ok(())
    }

    /// One turn, to its end.
    async fn take(self, mut turn: Turn, permit: OwnedSemaphorePermit, stop: Stop) {
        let worked = stop.work.run_until_cancelled(self.work(&mut turn, &stop)).await;
        if let Some(Err(error)) = worked {
            tracing::warn!(webhook = %turn.id, %error, "a turn of a webhook failed; its deliveries are made again");
        }
        // Without this the lease ends by itself, later.
        if let Err(error) = self.end(&turn).await {
            tracing::warn!(webhook = %turn.id, %error, "cannot end a webhook's turn");
        }
        drop(permit);
        self.wake.wake();
    }

    async fn work(&self, turn: &mut Turn, stop: &Stop) -> Result<(), sqlx::Error> {
        let end = Instant::now() + TURN;
        loop {
            let mut connection = self.database.pool().acquire().await?;
            // After the deliveries: one that was made after a change is then posted as changed.
            let due = turns::due(&mut connection, turn, self.bounds.posts, Timestamp::now()).await?;
            let goes_on = !due.is_empty() && turns::refresh(&mut connection, turn).await?;
            drop(connection);
            if !goes_on {
                return Ok(());
            }
            let turn = &*turn;
            let attempts = join_all(due.iter().map(|due| self.post(turn, due))).await;
            let goes_on = self.settle(turn, &due.iter().zip(&attempts).collect::<Vec<_>>()).await?;
            if !goes_on || Instant::now() >= end || stop.intake.is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn post(&self, turn: &Turn, due: &Due) -> Attempt {
        let secrets = turn.secrets(Timestamp::now());
        let post = Post { id: due.id, body: &due.body, secrets: &secrets };
        self.poster.post(&turn.url, &post).await
    }

    /// Writes down what came of some posts, all in one transaction. False when the turn is over.
    async fn settle(&self, turn: &Turn, done: &[(&Due, &Attempt)]) -> Result<bool, sqlx::Error> {
        let now = Timestamp::now();
        let slow = done.iter().any(|(_, attempt)| !attempt.succeeded() || attempt.latency > SLOW);
        let mut transaction = self.database.begin().await?;
        let Some(standing) = turns::hold(&mut transaction, turn, slow, self.lease(), now).await? else {
            return Ok(false);
        };
        for (due, attempt) in done {
            turns::record(&mut transaction, due, attempt, self.bounds.patience.delivery, now).await?;
        }
        let since = failing_since(standing, done);
        turns::failing(&mut transaction, turn.id, since).await?;
        let reason = verdict(since, done, self.bounds.patience.webhook, now);
        if let (Some(reason), true) = (reason, standing.enabled) {
            self.disable(&mut transaction, turn, reason, now).await?;
        }
        self.outbox.commit(transaction).await?;
        Ok(standing.enabled && reason.is_none())
    }

    /// Switches a webhook off, and tells its owner.
    async fn disable(
        &self,
        connection: &mut sqlx::AnyConnection,
        turn: &Turn,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let word = match reason {
            DisabledReason::Gone => "gone",
            DisabledReason::Failing => "failing",
        };
        if !turns::disable(connection, turn, word, now).await? {
            return Ok(());
        }
        metrics::disabled(word);
        tracing::warn!(webhook = %turn.id, reason = word, "a webhook is switched off; its owner is told");
        let host = url::Url::parse(&turn.url).ok().and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default();
        let (webhook_id, owner) = (turn.id, turn.owner.clone());
        let disabled = WebhookDisabled { v: V1, webhook_id, owner, host, reason, at: now };
        let outgoing = Outgoing {
            target: Target::Topic(self.results_arn.clone()),
            subject: None,
            body: disabled.encode(),
            attributes: disabled.attributes(),
        };
        self.outbox.put(connection, &outgoing).await
    }

    async fn end(&self, turn: &Turn) -> Result<(), sqlx::Error> {
        let mut transaction = self.database.begin().await?;
        turns::end(&mut transaction, turn).await?;
        transaction.commit().await
    }

    fn lease(&self) -> Duration {
        self.bounds.timeout + SLACK
    }
}

/// One success clears the record. A test that fails says nothing: whoever sends one is looking.
fn failing_since(standing: Standing, done: &[(&Due, &Attempt)]) -> Option<Timestamp> {
    if done.iter().any(|(_, attempt)| attempt.succeeded()) {
        return None;
    }
    let failed = done.iter().filter(|(due, _)| due.event != kind::TEST).map(|(_, attempt)| attempt.at).min();
    standing.failing_since.or(failed)
}

/// Why a webhook is to be switched off.
fn verdict(
    since: Option<Timestamp>,
    done: &[(&Due, &Attempt)],
    patience: Duration,
    now: Timestamp,
) -> Option<DisabledReason> {
    if done.iter().any(|(_, attempt)| attempt.is_gone()) {
        return Some(DisabledReason::Gone);
    }
    since.filter(|since| now >= later(*since, patience)).map(|_| DisabledReason::Failing)
}
