//! Removes what nobody needs any more, and drives what was overlooked.

use common::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

/// Deliveries that are older than $1 and wait for nothing, or wait for a webhook that is switched off.
const OLD: &str = "SELECT id FROM deliveries WHERE created_at < $1 AND (state <> 'pending' OR NOT EXISTS (
                       SELECT 1 FROM webhooks WHERE webhooks.id = deliveries.webhook_id AND enabled = 1
                   )) ORDER BY created_at, id LIMIT $2";

/// Removes up to `most` deliveries, with their attempts, that are older than `before`. Gives back how many went.
pub async fn forget(connection: &mut AnyConnection, before: Timestamp, most: i64) -> Result<u64, sqlx::Error> {
    let mut gone = 0;
    for statement in [
        format!("DELETE FROM attempts WHERE delivery_id IN ({OLD})"),
        format!("DELETE FROM deliveries WHERE id IN ({OLD})"),
    ] {
        let query = sqlx::query(AssertSqlSafe(statement)).bind(before.as_millis()).bind(most);
        gone = query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(gone)
}

/// Removes up to `most` deliveries, with their attempts, of a webhook that was deleted, and the webhook after the last of
/// them. False when no webhook is left to be removed.
pub async fn bury(connection: &mut AnyConnection, most: i64) -> Result<bool, sqlx::Error> {
    let found = sqlx::query("SELECT id FROM webhooks WHERE deleted = 1 ORDER BY id LIMIT 1");
    let Some(row) = found.fetch_optional(&mut *connection).await? else { return Ok(false) };
    let id: String = row.try_get("id")?;
    let mut gone = 0;
    for statement in [
        "DELETE FROM attempts WHERE delivery_id IN (
             SELECT id FROM deliveries WHERE webhook_id = $1 ORDER BY id LIMIT $2)",
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE webhook_id = $1 ORDER BY id LIMIT $2)",
    ] {
        let query = sqlx::query(statement).bind(id.as_str()).bind(most);
        gone = query.execute(&mut *connection).await?.rows_affected();
    }
    if gone == 0 {
        sqlx::query("DELETE FROM webhooks WHERE id = $1 AND deleted = 1").bind(id).execute(connection).await?;
    }
    Ok(true)
}

/// Gives a turn to every webhook that has none though something waits for it: there should be none. Gives back how many.
pub async fn drive(connection: &mut AnyConnection) -> Result<u64, sqlx::Error> {
    sqlx::query(
        "UPDATE webhooks SET due_at = (SELECT MIN(due_at) FROM deliveries WHERE deliveries.webhook_id = webhooks.id)
         WHERE enabled = 1 AND due_at IS NULL AND EXISTS (
             SELECT 1 FROM deliveries WHERE deliveries.webhook_id = webhooks.id AND deliveries.due_at IS NOT NULL)",
    )
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
}
