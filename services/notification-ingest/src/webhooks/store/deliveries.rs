//! Deliveries: one for each webhook and result.

use common::{DeliveryId, Timestamp, WebhookId};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::decode;
use crate::webhooks::kind::TEST;

/// The most attempts of a delivery that are kept and shown.
pub const MAX_ATTEMPTS: i64 = 50;

/// After every id.
const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// A delivery as its webhook's owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which the receiver gets as `webhook-id`.
    pub id: DeliveryId,
    /// The kind of event.
    pub event: String,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// How many attempts were made.
    pub attempts: i64,
    /// When the next one is due.
    pub due_at: Option<Timestamp>,
    /// The status of the last answer.
    pub last_status: Option<i64>,
    /// How long the last attempt took, in milliseconds.
    pub last_latency_ms: Option<i64>,
    /// Why the last attempt had no answer.
    pub last_error: Option<String>,
    /// When the last attempt was made.
    pub last_attempt_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// One attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub latency_ms: i64,
    /// The status, if there was an answer.
    pub status: Option<i64>,
    /// Why there was none.
    pub error: Option<String>,
    /// What the answer began with.
    pub response: Option<String>,
}

/// What is to be delivered.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// To whom.
    pub webhook: WebhookId,
    /// What tells this result from any other.
    pub result: &'a str,
    /// The kind of event.
    pub event: &'a str,
    /// What is posted.
    pub body: &'a str,
    /// When to give up; some time after the first attempt if nothing is said.
    pub give_up_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, event, state, attempts, due_at, last_status, last_latency_ms, last_error, last_attempt_at, created_at"
    };
}

/// Adds a delivery, due now. `None` if there is one of that result already. Afterwards the caller [wakes](wake) the
/// webhook in the same transaction.
pub async fn add(
    connection: &mut AnyConnection,
    new: New<'_>,
    now: Timestamp,
) -> Result<Option<DeliveryId>, sqlx::Error> {
    let id = DeliveryId::generate();
    let done = sqlx::query(
        "INSERT INTO deliveries (id, webhook_id, result, event, body, state, attempts, round, due_at, give_up_at, created_at)
         VALUES ($1, $2, $3, $4, $5, 'pending', 0, 0, $6, $7, $6) ON CONFLICT (webhook_id, result) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(new.webhook.to_string())
    .bind(new.result)
    .bind(new.event)
    .bind(new.body)
    .bind(now.as_millis())
    .bind(new.give_up_at.map(Timestamp::as_millis))
    .execute(connection)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Has a webhook's turn come now. False if it is switched off.
pub async fn wake(connection: &mut AnyConnection, webhook: WebhookId, now: Timestamp) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET due_at = CASE WHEN due_at < $1 THEN due_at ELSE $1 END WHERE id = $2 AND enabled = 1",
    )
    .bind(now.as_millis())
    .bind(webhook.to_string())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Up to `limit` deliveries of a webhook, newest first, from before `cursor` on; of one state if it is named.
pub async fn list(
    connection: &mut AnyConnection,
    webhook: WebhookId,
    state: Option<&str>,
    cursor: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let cursor = cursor.map_or_else(|| LAST.to_owned(), |id| id.to_string());
    let query = match state {
        Some(state) => sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE webhook_id = $1 AND id < $2 AND state = $4 ORDER BY id DESC LIMIT $3"
        ))
        .bind(webhook.to_string())
        .bind(cursor)
        .bind(limit)
        .bind(state),
        None => sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE webhook_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
        ))
        .bind(webhook.to_string())
        .bind(cursor)
        .bind(limit),
    };
    query.fetch_all(connection).await?.iter().map(read).collect()
}

/// One delivery of a webhook, with what is posted.
pub async fn find(
    connection: &mut AnyConnection,
    webhook: WebhookId,
    id: DeliveryId,
) -> Result<Option<(Delivery, String)>, sqlx::Error> {
    let statement = concat!("SELECT body, ", columns!(), " FROM deliveries WHERE webhook_id = $1 AND id = $2");
    let row = sqlx::query(statement).bind(webhook.to_string()).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(|row| Ok((read(row)?, row.try_get("body")?))).transpose()
}

/// The newest attempts of a delivery, newest first.
pub async fn tried(connection: &mut AnyConnection, id: DeliveryId) -> Result<Vec<Tried>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT at, latency_ms, status, error, response FROM attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(id.to_string())
    .bind(MAX_ATTEMPTS)
    .fetch_all(connection)
    .await?;
    let read = |row: &AnyRow| {
        Ok(Tried {
            at: Timestamp::from_millis(row.try_get("at")?),
            latency_ms: row.try_get("latency_ms")?,
            status: row.try_get("status")?,
            error: row.try_get("error")?,
            response: row.try_get("response")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Whether a test of this webhook waits to be posted.
pub async fn tests_pending(connection: &mut AnyConnection, webhook: WebhookId) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(
        "SELECT 1 FROM deliveries WHERE webhook_id = $1 AND due_at IS NOT NULL AND event = $2 AND state = 'pending' LIMIT 1",
    );
    let found = query.bind(webhook.to_string()).bind(TEST).fetch_optional(connection).await?;
    Ok(found.is_some())
}

/// Has a delivery made again from the beginning, under the same id. False if there is none. The caller's transaction
/// has [woken](wake) the webhook before.
pub async fn replay(
    connection: &mut AnyConnection,
    webhook: WebhookId,
    id: DeliveryId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE deliveries SET state = 'pending', round = 0, due_at = $1, give_up_at = NULL
         WHERE webhook_id = $2 AND id = $3",
    )
    .bind(now.as_millis())
    .bind(webhook.to_string())
    .bind(id.to_string())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Delivery, sqlx::Error> {
    let id: String = row.try_get("id")?;
    let time = |name: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_millis));
    Ok(Delivery {
        id: id.parse().map_err(decode)?,
        event: row.try_get("event")?,
        state: row.try_get("state")?,
        attempts: row.try_get("attempts")?,
        due_at: time("due_at")?,
        last_status: row.try_get("last_status")?,
        last_latency_ms: row.try_get("last_latency_ms")?,
        last_error: row.try_get("last_error")?,
        last_attempt_at: time("last_attempt_at")?,
        created_at: Timestamp::from_millis(row.try_get("created_at")?),
    })
}
