//! The webhooks themselves.

use common::{Timestamp, UserId, WebhookId};
use sqlx::{AnyConnection, Row, any::AnyRow};

use super::{decode, reschedule};
use crate::webhooks::{kind::Kinds, secret::Secret};

/// A webhook as its owner sees it. Its secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Who made it.
    pub owner: UserId,
    /// Whether it hears of everybody's files.
    pub all_users: bool,
    /// Where it points to.
    pub url: String,
    /// What its owner says about it.
    pub description: String,
    /// What it wants to hear of.
    pub events: Kinds,
    /// Whether anything is posted to it.
    pub enabled: bool,
    /// Why not: `owner`, `gone` or `failing`.
    pub disabled_reason: Option<String>,
    /// Since when not.
    pub disabled_at: Option<Timestamp>,
    /// When the first attempt failed after which none succeeded.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before signs too.
    pub old_secret_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its owner changed it last.
    pub updated_at: Timestamp,
}

/// What is to be changed; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Where it points to.
    pub url: Option<String>,
    /// What its owner says about it.
    pub description: Option<String>,
    /// What it wants to hear of.
    pub events: Option<Kinds>,
    /// Whether anything is posted to it.
    pub enabled: Option<bool>,
}

/// Whose webhooks a list shows.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Those of one user, for that user's files.
    Of(&'a UserId),
    /// Those for everybody's files.
    AllUsers,
}

/// After every id.
const LAST: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

macro_rules! columns {
    () => {
        "id, owner, all_users, url, description, events, enabled, disabled_reason, disabled_at, failing_since,
         old_secret_until, created_at, updated_at"
    };
}

/// Adds a webhook. False if its owner has `most` already.
pub async fn add(
    connection: &mut AnyConnection,
    hook: &Webhook,
    secret: &Secret,
    most: u32,
) -> Result<bool, sqlx::Error> {
    let counted = sqlx::query(
        "INSERT INTO webhook_counts (owner, webhooks) VALUES ($1, 1)
         ON CONFLICT (owner) DO UPDATE SET webhooks = webhook_counts.webhooks + 1 WHERE webhook_counts.webhooks < $2",
    )
    .bind(hook.owner.as_str())
    .bind(i64::from(most))
    .execute(&mut *connection)
    .await?;
    if counted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO webhooks (id, owner, all_users, url, description, events, secret, enabled, created_at, updated_at,
             leased_until, slow, deleted)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, 0, 0, 0)",
    )
    .bind(hook.id.to_string())
    .bind(hook.owner.as_str())
    .bind(i64::from(hook.all_users))
    .bind(hook.url.as_str())
    .bind(hook.description.as_str())
    .bind(hook.events.to_string())
    .bind(secret.expose())
    .bind(hook.created_at.as_millis())
    .execute(connection)
    .await
    .map(|_| true)
}

/// One webhook, whoever it belongs to.
pub async fn find(connection: &mut AnyConnection, id: WebhookId) -> Result<Option<Webhook>, sqlx::Error> {
    let statement = concat!("SELECT ", columns!(), " FROM webhooks WHERE id = $1 AND deleted = 0");
    let row = sqlx::query(statement).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Up to `limit` webhooks, newest first, from before `cursor` on.
pub async fn list(
    connection: &mut AnyConnection,
    scope: Scope<'_>,
    cursor: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>, sqlx::Error> {
    let cursor = cursor.map_or_else(|| LAST.to_owned(), |id| id.to_string());
    let query = match scope {
        Scope::Of(owner) => sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhooks WHERE deleted = 0 AND all_users = 0 AND id < $1 AND owner = $3 ORDER BY id DESC LIMIT $2"
        ))
        .bind(cursor)
        .bind(limit)
        .bind(owner.as_str()),
        Scope::AllUsers => sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhooks WHERE deleted = 0 AND all_users = 1 AND id < $1 ORDER BY id DESC LIMIT $2"
        ))
        .bind(cursor)
        .bind(limit),
    };
    query.fetch_all(connection).await?.iter().map(read).collect()
}

/// Changes a webhook. Another URL, or being switched on again, gives it a clean record.
pub async fn change(
    connection: &mut AnyConnection,
    id: WebhookId,
    change: &Change,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET url = COALESCE($1, url), description = COALESCE($2, description),
             events = COALESCE($3, events), updated_at = $4
         WHERE id = $5 AND deleted = 0",
    )
    .bind(change.url.as_deref())
    .bind(change.description.as_deref())
    .bind(change.events.as_ref().map(ToString::to_string))
    .bind(now.as_millis())
    .bind(id.to_string())
    .execute(&mut *connection)
    .await?;
    if change.url.is_some() || change.enabled == Some(true) {
        sqlx::query("UPDATE webhooks SET failing_since = NULL, slow = 0 WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *connection)
            .await?;
    }
    match change.enabled {
        Some(true) => enable(connection, id).await,
        Some(false) => disable(connection, id, "owner", now).await.map(|_| ()),
        None => Ok(()),
    }
}

async fn enable(connection: &mut AnyConnection, id: WebhookId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET enabled = 1, disabled_reason = NULL, disabled_at = NULL
         WHERE id = $1 AND enabled = 0 AND deleted = 0",
    )
    .bind(id.to_string())
    .execute(&mut *connection)
    .await?;
    reschedule(connection, &id.to_string()).await
}

/// Switches a webhook off; what waits for it waits on. False if it was off already.
pub async fn disable(
    connection: &mut AnyConnection,
    id: WebhookId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET enabled = 0, disabled_reason = $1, disabled_at = $2, due_at = NULL
         WHERE id = $3 AND enabled = 1",
    )
    .bind(reason)
    .bind(now.as_millis())
    .bind(id.to_string())
    .execute(connection)
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Gives a webhook a new secret; the one that it had signs too until `until`.
pub async fn rotate(
    connection: &mut AnyConnection,
    id: WebhookId,
    secret: &Secret,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET old_secret = secret, old_secret_until = $1, secret = $2, updated_at = $3
         WHERE id = $4 AND deleted = 0",
    )
    .bind(until.as_millis())
    .bind(secret.expose())
    .bind(now.as_millis())
    .bind(id.to_string())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Takes a webhook away from its owner's eyes at once; the sweep removes it with its deliveries. False if it was gone.
pub async fn delete(connection: &mut AnyConnection, hook: &Webhook) -> Result<bool, sqlx::Error> {
    let deleted =
        sqlx::query("UPDATE webhooks SET deleted = 1, enabled = 0, due_at = NULL WHERE id = $1 AND deleted = 0")
            .bind(hook.id.to_string())
            .execute(&mut *connection)
            .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE webhook_counts SET webhooks = webhooks - 1 WHERE owner = $1")
        .bind(hook.owner.as_str())
        .execute(connection)
        .await
        .map(|_| true)
}

/// The webhooks that are told of the files of `owner`, in the order in which they are locked: their ids, and what they
/// want to hear of.
pub async fn subscribed(
    connection: &mut AnyConnection,
    owner: &UserId,
) -> Result<Vec<(WebhookId, Kinds)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, events FROM webhooks WHERE owner = $1 AND all_users = 0 AND enabled = 1
         UNION ALL SELECT id, events FROM webhooks WHERE all_users = 1 AND enabled = 1 ORDER BY id",
    )
    .bind(owner.as_str())
    .fetch_all(connection)
    .await?;
    let read = |row: &AnyRow| {
        let (id, events): (String, String) = (row.try_get("id")?, row.try_get("events")?);
        Ok((id.parse().map_err(decode)?, events.parse().map_err(decode)?))
    };
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Webhook, sqlx::Error> {
    let text = |name: &str| row.try_get::<String, _>(name);
    let time = |name: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(name)?.map(Timestamp::from_millis));
    let needed = |name: &str| row.try_get(name).map(Timestamp::from_millis);
    Ok(Webhook {
        id: text("id")?.parse().map_err(decode)?,
        owner: text("owner")?.try_into().map_err(decode)?,
        all_users: row.try_get::<i64, _>("all_users")? == 1,
        url: text("url")?,
        description: text("description")?,
        events: text("events")?.parse().map_err(decode)?,
        enabled: row.try_get::<i64, _>("enabled")? == 1,
        disabled_reason: row.try_get("disabled_reason")?,
        disabled_at: time("disabled_at")?,
        failing_since: time("failing_since")?,
        old_secret_until: time("old_secret_until")?,
        created_at: needed("created_at")?,
        updated_at: needed("updated_at")?,
    })
}
