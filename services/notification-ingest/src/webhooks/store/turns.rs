//! Turns: one process works on one webhook at a time, under a lease that ends by itself when the process dies.

use std::time::Duration;

use common::{DeliveryId, Timestamp, UserId, WebhookId};
use sqlx::{AnyConnection, Row, any::AnyRow};
use uuid::Uuid;

use super::{decode, deliveries::MAX_ATTEMPTS, hooks, reschedule};
use crate::webhooks::{
    client::Attempt,
    retry::{Next, later, next},
    secret::Secret,
};

/// A webhook whose turn it is.
#[derive(Debug)]
pub struct Turn {
    /// The webhook.
    pub id: WebhookId,
    /// Who made it.
    pub owner: UserId,
    /// Where it points to.
    pub url: String,
    secret: Secret,
    old_secret: Option<(Secret, Timestamp)>,
    lease: String,
}

/// A delivery that is due.
#[derive(Debug)]
pub struct Due {
    /// Its id.
    pub id: DeliveryId,
    /// The kind of event.
    pub event: String,
    /// What is posted.
    pub body: String,
    attempts: i64,
    round: i64,
    give_up_at: Option<Timestamp>,
}

/// How a webhook stands after some attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Since when every attempt failed.
    pub failing_since: Option<Timestamp>,
    /// Whether it was switched on until now.
    pub enabled: bool,
}

impl Turn {
    /// What signs now: the secret, and the one before while it is still good.
    pub fn secrets(&self, now: Timestamp) -> Vec<&Secret> {
        let old = self.old_secret.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(old).collect()
    }
}

/// Begins up to `most` turns of webhooks that have something due, those that wait longest first. Slow ones are asked
/// for apart, so that they hold up each other and nobody else.
pub async fn begin(
    connection: &mut AnyConnection,
    slow: bool,
    most: i64,
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Turn>, sqlx::Error> {
    // Reading first keeps an idle process from taking SQLite's write lock.
    let waiting = sqlx::query(
        "SELECT id FROM webhooks WHERE slow = $1 AND due_at <= $2 AND enabled = 1 AND leased_until <= $2 LIMIT 1",
    );
    let waiting = waiting.bind(i64::from(slow)).bind(now.as_millis());
    if waiting.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(Vec::new());
    }
    let token = Uuid::now_v7().to_string();
    let rows = sqlx::query(
        "UPDATE webhooks SET lease = $1, leased_until = $2
         WHERE id IN (SELECT id FROM webhooks WHERE slow = $3 AND due_at <= $4 AND enabled = 1 AND leased_until <= $4
                      ORDER BY due_at LIMIT $5) AND leased_until <= $4
         RETURNING id, owner, url, secret, old_secret, old_secret_until",
    )
    .bind(token.as_str())
    .bind(later(now, lease).as_millis())
    .bind(i64::from(slow))
    .bind(now.as_millis())
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| read(row, &token)).collect()
}

fn read(row: &AnyRow, lease: &str) -> Result<Turn, sqlx::Error> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let old: Option<String> = row.try_get("old_secret")?;
    let until: Option<i64> = row.try_get("old_secret_until")?;
    Ok(Turn {
        id: text("id")?.parse().map_err(decode)?,
        owner: text("owner")?.try_into().map_err(decode)?,
        url: text("url")?,
        secret: text("secret")?.into(),
        old_secret: old.zip(until).map(|(secret, until)| (secret.into(), Timestamp::from_millis(until))),
        lease: lease.to_owned(),
    })
}

/// Looks again at what the owner may have changed since the turn began: where to post, and what signs. False when the turn
/// is over: the webhook was switched off, or somebody else has it.
pub async fn refresh(connection: &mut AnyConnection, turn: &mut Turn) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "SELECT id, owner, url, secret, old_secret, old_secret_until FROM webhooks
         WHERE id = $1 AND lease = $2 AND enabled = 1",
    )
    .bind(turn.id.to_string())
    .bind(turn.lease.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    *turn = read(&row, &turn.lease)?;
    Ok(true)
}

/// Up to `most` of a webhook's deliveries that are due, those that wait longest first.
pub async fn due(
    connection: &mut AnyConnection,
    turn: &Turn,
    most: i64,
    now: Timestamp,
) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, event, body, attempts, round, give_up_at FROM deliveries WHERE webhook_id = $1 AND due_at <= $2
         ORDER BY due_at, id LIMIT $3",
    )
    .bind(turn.id.to_string())
    .bind(now.as_millis())
    .bind(most)
    .fetch_all(connection)
    .await?;
    let read = |row: &AnyRow| {
        let id: String = row.try_get("id")?;
        let give_up_at: Option<i64> = row.try_get("give_up_at")?;
        Ok(Due {
            id: id.parse().map_err(decode)?,
            event: row.try_get("event")?,
            body: row.try_get("body")?,
            attempts: row.try_get("attempts")?,
            round: row.try_get("round")?,
            give_up_at: give_up_at.map(Timestamp::from_millis),
        })
    };
    rows.iter().map(read).collect()
}

/// Prolongs the lease, notes whether the webhook is slow, and takes its row for the rest of the transaction. `None` when
/// the turn is over because somebody else has it.
pub async fn hold(
    connection: &mut AnyConnection,
    turn: &Turn,
    slow: bool,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Standing>, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE webhooks SET leased_until = $1, slow = $2 WHERE id = $3 AND lease = $4 RETURNING failing_since, enabled",
    )
    .bind(later(now, lease).as_millis())
    .bind(i64::from(slow))
    .bind(turn.id.to_string())
    .bind(turn.lease.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let since: Option<i64> = row.try_get("failing_since")?;
    let enabled = row.try_get::<i64, _>("enabled")? == 1;
    Ok(Some(Standing { failing_since: since.map(Timestamp::from_millis), enabled }))
}

/// Writes an attempt down, and when the next one is due. `window` is how long after the first attempt one is tried.
pub async fn record(
    connection: &mut AnyConnection,
    due: &Due,
    attempt: &Attempt,
    window: Duration,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let give_up_at = due.give_up_at.unwrap_or_else(|| later(attempt.at, window));
    let (state, due_at) = if attempt.succeeded() {
        ("delivered", None)
    } else {
        match next(due.round + 1, now, attempt.not_before, give_up_at) {
            // Who is gone is not asked again.
            Next::At(at) if !attempt.is_gone() => ("pending", Some(at)),
            Next::At(_) | Next::GiveUp => ("failed", None),
        }
    };
    sqlx::query(
        "UPDATE deliveries SET state = $1, due_at = $2, give_up_at = $3, attempts = attempts + 1, round = round + 1,
             last_status = $4, last_latency_ms = $5, last_error = $6, last_attempt_at = $7
         WHERE id = $8",
    )
    .bind(state)
    .bind(due_at.map(Timestamp::as_millis))
    .bind(give_up_at.as_millis())
    .bind(attempt.status.map(i64::from))
    .bind(millis(attempt.latency))
    .bind(attempt.error.as_deref())
    .bind(attempt.at.as_millis())
    .bind(due.id.to_string())
    .execute(&mut *connection)
    .await?;
    log(connection, due, attempt).await
}

async fn log(connection: &mut AnyConnection, due: &Due, attempt: &Attempt) -> Result<(), sqlx::Error> {
    let id = due.id.to_string();
    sqlx::query(
        "INSERT INTO attempts (id, delivery_id, at, latency_ms, status, error, response)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(id.as_str())
    .bind(attempt.at.as_millis())
    .bind(millis(attempt.latency))
    .bind(attempt.status.map(i64::from))
    .bind(attempt.error.as_deref())
    .bind(attempt.response.as_deref())
    .execute(&mut *connection)
    .await?;
    if due.attempts < MAX_ATTEMPTS {
        return Ok(());
    }
    // Somebody replays it over and over.
    sqlx::query(
        "DELETE FROM attempts WHERE delivery_id = $1 AND id NOT IN (
             SELECT id FROM attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT $2
         )",
    )
    .bind(id)
    .bind(MAX_ATTEMPTS)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Writes down since when a webhook fails, or that it does not.
pub async fn failing(
    connection: &mut AnyConnection,
    id: WebhookId,
    since: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE webhooks SET failing_since = $1 WHERE id = $2")
        .bind(since.map(Timestamp::as_millis))
        .bind(id.to_string())
        .execute(connection)
        .await
        .map(|_| ())
}

/// Ends a turn: the webhook's next one is when its next delivery is due. Does nothing when somebody else has it.
pub async fn end(connection: &mut AnyConnection, turn: &Turn) -> Result<(), sqlx::Error> {
    let mine = sqlx::query("UPDATE webhooks SET lease = NULL, leased_until = 0 WHERE id = $1 AND lease = $2")
        .bind(turn.id.to_string())
        .bind(turn.lease.as_str())
        .execute(&mut *connection)
        .await?;
    if mine.rows_affected() == 1 {
        reschedule(connection, &turn.id.to_string()).await?;
    }
    Ok(())
}

/// Switches the webhook off. False if it was off already.
pub async fn disable(
    connection: &mut AnyConnection,
    turn: &Turn,
    reason: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    hooks::disable(connection, turn.id, reason, now).await
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
