//! Subscriptions that were ended: for as long as the token in the farewell is good, they can be restored.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    confirmation::bad_token,
    error::Error,
    subscription::{self, Consent, Subscription},
};
use crate::sqs::now_ms;

/// Ends a subscription; `token` is what restores it.
pub(super) fn keep(connection: &Connection, ended: &Subscription, token: Option<&str>) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO sns_unsubscribed (arn, topic, protocol, endpoint, raw, settings, token, ended_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            ended.arn,
            ended.topic,
            ended.protocol.text(),
            ended.endpoint,
            ended.raw,
            serde_json::to_string(&ended.settings)?,
            token,
            now_ms(),
        ])?;
    subscription::delete(connection, &ended.arn)
}

/// Takes a subscription back in, under its own ARN. The endpoint may have been subscribed anew meanwhile;
/// then that subscription stands.
pub(super) fn restore(connection: &Connection, topic: &str, token: &str, oldest_ms: i64) -> Result<String, Error> {
    let arn: Option<String> = connection
        .prepare_cached("SELECT arn FROM sns_unsubscribed WHERE token = ?1 AND topic = ?2 AND ended_ms >= ?3")?
        .query_row(params![token, topic, oldest_ms], |row| row.get(0))
        .optional()?;
    let arn = arn.ok_or_else(bad_token)?;
    let restored = connection
        .prepare_cached(
            "INSERT INTO sns_subscriptions (arn, topic, protocol, endpoint, raw, settings, token, token_ms)
             SELECT arn, topic, protocol, endpoint, raw, settings, token, ended_ms FROM sns_unsubscribed WHERE arn = ?1
             ON CONFLICT DO NOTHING",
        )?
        .execute([&arn])?;
    if restored == 0 {
        return Err(bad_token());
    }
    connection.prepare_cached("DELETE FROM sns_unsubscribed WHERE arn = ?1")?.execute([&arn])?;
    Ok(arn)
}

/// Forgets what can be confirmed or restored no more.
pub(super) fn sweep(connection: &Connection, oldest_ms: i64) -> Result<(), Error> {
    connection.execute("DELETE FROM sns_unsubscribed WHERE ended_ms < ?1", [oldest_ms])?;
    connection.execute("DELETE FROM sns_subscriptions WHERE pending = 1 AND token_ms < ?1", [oldest_ms])?;
    Ok(())
}

/// A new token for a subscription that waits for its confirmation.
pub(super) fn pending(token: String) -> Consent {
    Consent { is_pending: true, token: Some(token), token_ms: now_ms() }
}
