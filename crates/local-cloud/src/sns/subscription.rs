//! Subscriptions as the store has them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::{Deserialize, Serialize};

use super::{delivery_policy::OfSubscription, error::Error, filter::FilterPolicy, filter::Scope, protocol::Protocol};

/// The most subscriptions of one topic: each publication is written to all of them at once.
pub(super) const MOST_PER_TOPIC: i64 = 1000;

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: i64,
    pub(super) arn: String,
    pub(super) topic: String,
    pub(super) protocol: Protocol,
    pub(super) endpoint: String,
    /// Whether the message goes out without the envelope.
    pub(super) raw: bool,
    pub(super) settings: Settings,
    /// The state of its confirmation.
    pub(super) consent: Consent,
}

/// What was asked for, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Attributes as they were set, but for `RawMessageDelivery`.
    pub(super) attributes: BTreeMap<String, String>,
    /// Whether the confirmation was signed.
    pub(super) was_authenticated: bool,
    /// Whether ending it takes a signature.
    pub(super) authenticate_on_unsubscribe: bool,
}

/// Whether the endpoint's owner has agreed, and what agreeing takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Consent {
    pub(super) is_pending: bool,
    /// The token that was sent last, and when; queues get none.
    pub(super) token: Option<String>,
    pub(super) token_ms: i64,
}

const COLUMNS: &str = "SELECT id, arn, topic, protocol, endpoint, raw, settings, pending, token, token_ms \
                       FROM sns_subscriptions";

impl Subscription {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.settings.attributes.get(name).map(String::as_str)
    }

    /// The policy that a message must pass, if there is one.
    pub(super) fn filter(&self) -> Result<Option<FilterPolicy>, Error> {
        let Some(policy) = self.attribute("FilterPolicy") else { return Ok(None) };
        let scope = self.attribute("FilterPolicyScope").and_then(Scope::parse).unwrap_or_default();
        // It was checked when it was set.
        FilterPolicy::parse(policy, scope).map(Some).map_err(|invalid| Error::Internal(invalid.to_string()))
    }

    /// It was checked when it was set.
    pub(super) fn delivery_policy(&self) -> OfSubscription {
        OfSubscription::parse(self.attribute("DeliveryPolicy").unwrap_or_default()).unwrap_or_default()
    }
}

pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<Subscription>, Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE arn = ?1"))?;
    Ok(statement.query_row([arn], row).optional()?)
}

pub(super) fn get(connection: &Connection, arn: &str) -> Result<Subscription, Error> {
    find(connection, arn)?.ok_or_else(Error::no_such_subscription)
}

pub(super) fn find_by_token(connection: &Connection, token: &str) -> Result<Option<Subscription>, Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE token = ?1"))?;
    Ok(statement.query_row([token], row).optional()?)
}

pub(super) fn find_by_endpoint(
    connection: &Connection,
    topic: &str,
    protocol: Protocol,
    endpoint: &str,
) -> Result<Option<Subscription>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE topic = ?1 AND protocol = ?2 AND endpoint = ?3"))?;
    Ok(statement.query_row([topic, protocol.text(), endpoint], row).optional()?)
}

/// Those of a topic that messages may go to.
pub(super) fn confirmed_of_topic(connection: &Connection, topic: &str) -> Result<Vec<Subscription>, Error> {
    let mut all = of_topic(connection, topic, 0, MOST_PER_TOPIC)?;
    all.retain(|subscription| !subscription.consent.is_pending);
    Ok(all)
}

/// A page of those of a topic.
pub(super) fn of_topic(
    connection: &Connection,
    topic: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Subscription>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE topic = ?1 AND id > ?2 ORDER BY id LIMIT ?3"))?;
    let rows = statement.query_map(params![topic, after, limit], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A page of all.
pub(super) fn all(connection: &Connection, after: i64, limit: i64) -> Result<Vec<Subscription>, Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    let rows = statement.query_map(params![after, limit], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many of a topic have a filter policy.
pub(super) fn filter_policies(connection: &Connection, topic: &str) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM sns_subscriptions
         WHERE topic = ?1 AND json_extract(settings, '$.attributes.FilterPolicy') IS NOT NULL",
    )?;
    Ok(statement.query_row([topic], |row| row.get(0))?)
}

/// Writes a new one; its `id` is not looked at.
pub(super) fn insert(connection: &Connection, new: &Subscription) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO sns_subscriptions (arn, topic, protocol, endpoint, raw, settings, pending, token, token_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            new.arn,
            new.topic,
            new.protocol.text(),
            new.endpoint,
            new.raw,
            serde_json::to_string(&new.settings)?,
            new.consent.is_pending,
            new.consent.token,
            new.consent.token_ms,
        ])?;
    Ok(())
}

/// Writes what can change of one.
pub(super) fn update(connection: &Connection, changed: &Subscription) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE sns_subscriptions SET raw = ?2, settings = ?3, pending = ?4, token = ?5, token_ms = ?6
             WHERE arn = ?1",
        )?
        .execute(params![
            changed.arn,
            changed.raw,
            serde_json::to_string(&changed.settings)?,
            changed.consent.is_pending,
            changed.consent.token,
            changed.consent.token_ms,
        ])?;
    Ok(())
}

pub(super) fn delete(connection: &Connection, arn: &str) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM sns_subscriptions WHERE arn = ?1")?.execute([arn])?;
    Ok(())
}

fn row(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let protocol: String = row.get(3)?;
    let unreadable =
        |column, cause: &str| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, cause.to_owned().into());
    let settings: String = row.get(6)?;
    Ok(Subscription {
        id: row.get(0)?,
        arn: row.get(1)?,
        topic: row.get(2)?,
        protocol: Protocol::parse(&protocol).ok_or_else(|| unreadable(3, "not a protocol"))?,
        endpoint: row.get(4)?,
        raw: row.get(5)?,
        settings: serde_json::from_str(&settings).map_err(|error| unreadable(6, &error.to_string()))?,
        consent: Consent { is_pending: row.get(7)?, token: row.get(8)?, token_ms: row.get(9)? },
    })
}
