//! Making, finding and removing subscriptions.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{
    Sns,
    error::{Error, kind},
    form::Form,
    topics::{self, PAGE},
    xml::{self, Answer},
};
use crate::store::Transaction;

/// The most subscriptions of one topic: each publication is written to all of them at once.
const MOST_PER_TOPIC: i64 = 1000;

/// A subscription as the store has it.
pub(super) struct Subscription {
    pub(super) id: i64,
    pub(super) arn: String,
    pub(super) topic: String,
    pub(super) protocol: String,
    pub(super) endpoint: String,
    /// Whether the message goes out without the envelope.
    pub(super) raw: bool,
}

const COLUMNS: &str = "SELECT id, arn, topic, protocol, endpoint, raw FROM sns_subscriptions";

impl Sns {
    /// A queue of this account needs no confirmation (SNS developer guide, "Subscribing a queue to a topic").
    pub(super) async fn subscribe(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context.topic_name(form.require("TopicArn")?)?;
        let protocol = form.require("Protocol")?;
        if protocol != "sqs" {
            return Err(Error::invalid(format!("Protocol Reason: {protocol} is not available here, only sqs is")));
        }
        let endpoint = form.require("Endpoint")?.to_owned();
        if !is_queue_arn(&endpoint) {
            return Err(Error::invalid("SQS endpoint ARN"));
        }
        let mut raw = None;
        for (name, value) in form.map("Attributes.entry", "key", "value") {
            raw = Some(raw_delivery(&name, &value)?);
        }
        let arn = format!("{}:{}", self.context.topic_arn(&topic), Uuid::new_v4());
        let subscribe = move |tx: &mut Transaction<'_>| subscribe(tx, &topic, &endpoint, raw, arn);
        let arn = self.context.store.write(subscribe).await?;
        Ok(Answer::with("Subscribe", xml::text("SubscriptionArn", &arn)))
    }

    /// Taking away what is not there succeeds.
    pub(super) async fn unsubscribe(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        if arn.split(':').count() != 7 {
            return Err(Error::invalid("SubscriptionArn Reason: An ARN must have at least 6 elements"));
        }
        self.warned.clear(&arn);
        let delete = move |tx: &mut Transaction<'_>| {
            tx.execute("DELETE FROM sns_subscriptions WHERE arn = ?1", [arn])?;
            Ok::<_, Error>(())
        };
        self.context.store.write(delete).await?;
        Ok(Answer::empty("Unsubscribe"))
    }

    pub(super) async fn list_subscriptions(&self, form: &Form) -> Result<Answer, Error> {
        let after = page_start(form)?;
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
            let rows = statement.query_map(params![after, PAGE as i64 + 1], row)?;
            Ok::<_, Error>(rows.collect::<Result<Vec<_>, _>>()?)
        };
        Ok(Answer::with("ListSubscriptions", self.page(self.context.store.read(read).await?)))
    }

    pub(super) async fn list_subscriptions_by_topic(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context.topic_name(form.require("TopicArn")?)?;
        let after = page_start(form)?;
        let read = move |connection: &Connection| {
            topics::get(connection, &topic)?;
            of_topic(connection, &topic, after, PAGE as i64 + 1)
        };
        Ok(Answer::with("ListSubscriptionsByTopic", self.page(self.context.store.read(read).await?)))
    }

    fn page(&self, mut rows: Vec<Subscription>) -> String {
        let has_more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let member = |row: &Subscription| {
            let fields = [
                xml::text("TopicArn", &self.context.topic_arn(&row.topic)),
                xml::text("Protocol", &row.protocol),
                xml::text("SubscriptionArn", &row.arn),
                xml::text("Owner", &self.context.account),
                xml::text("Endpoint", &row.endpoint),
            ];
            xml::around("member", fields)
        };
        let mut page = xml::around("Subscriptions", rows.iter().map(member));
        if let Some(last) = rows.last().filter(|_| has_more) {
            page += &xml::text("NextToken", &last.id.to_string());
        }
        page
    }
}

/// The only attribute of a subscription that is available.
pub(super) fn raw_delivery(name: &str, value: &str) -> Result<bool, Error> {
    match (name, value) {
        ("RawMessageDelivery", "true") => Ok(true),
        ("RawMessageDelivery", "false") => Ok(false),
        ("RawMessageDelivery", _) => Err(Error::invalid(format!(
            "Attributes Reason: RawMessageDelivery: Invalid value [{value}]. Must be true or false."
        ))),
        _ => Err(Error::invalid(format!("Attributes Reason: {name} is not available here"))),
    }
}

pub(super) fn find(connection: &Connection, arn: &str) -> Result<Option<Subscription>, Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE arn = ?1"))?;
    Ok(statement.query_row([arn], row).optional()?)
}

/// All subscriptions of a topic.
pub(super) fn all_of_topic(connection: &Connection, topic: &str) -> Result<Vec<Subscription>, Error> {
    of_topic(connection, topic, 0, MOST_PER_TOPIC)
}

fn of_topic(connection: &Connection, topic: &str, after: i64, limit: i64) -> Result<Vec<Subscription>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE topic = ?1 AND id > ?2 ORDER BY id LIMIT ?3"))?;
    let rows = statement.query_map(params![topic, after, limit], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    Ok(Subscription {
        id: row.get(0)?,
        arn: row.get(1)?,
        topic: row.get(2)?,
        protocol: row.get(3)?,
        endpoint: row.get(4)?,
        raw: row.get(5)?,
    })
}

/// The same subscription again is the one that is there, unless its attributes are to be others.
fn subscribe(
    tx: &Transaction<'_>,
    topic: &str,
    endpoint: &str,
    raw: Option<bool>,
    arn: String,
) -> Result<String, Error> {
    topics::get(tx, topic)?;
    let existing = tx
        .prepare_cached(&format!("{COLUMNS} WHERE topic = ?1 AND protocol = 'sqs' AND endpoint = ?2"))?
        .query_row([topic, endpoint], row)
        .optional()?;
    if let Some(existing) = existing {
        if raw.is_some_and(|raw| raw != existing.raw) {
            return Err(Error::invalid("Attributes Reason: Subscription already exists with different attributes"));
        }
        return Ok(existing.arn);
    }
    let count: i64 =
        tx.query_row("SELECT count(*) FROM sns_subscriptions WHERE topic = ?1", [topic], |row| row.get(0))?;
    if count >= MOST_PER_TOPIC {
        let message = format!("A topic can have {MOST_PER_TOPIC} subscriptions here.");
        return Err(Error::client(kind::SUBSCRIPTION_LIMIT, message));
    }
    tx.execute(
        "INSERT INTO sns_subscriptions (arn, topic, protocol, endpoint, raw) VALUES (?1, ?2, 'sqs', ?3, ?4)",
        params![arn, topic, endpoint, raw.unwrap_or(false)],
    )?;
    Ok(arn)
}

fn page_start(form: &Form) -> Result<i64, Error> {
    form.get("NextToken").map_or(Ok(0), |token| token.parse().map_err(|_| Error::invalid("NextToken")))
}

fn is_queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts[..], ["arn", _, "sqs", _, _, name] if !name.is_empty())
}
