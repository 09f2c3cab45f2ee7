//! Making, finding, changing and removing topics.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Sns,
    error::Error,
    form::Form,
    xml::{self, Answer},
};
use crate::{Context, store::Transaction};

/// Names per page of a list (SNS API, ListTopics).
pub(super) const PAGE: usize = 100;

/// Attributes of a topic as they were set.
pub(super) type TopicAttributes = BTreeMap<String, String>;

impl Sns {
    pub(super) async fn create_topic(&self, form: &Form) -> Result<Answer, Error> {
        let name = form.require("Name")?.to_owned();
        check_name(&name)?;
        let attributes = form.map("Attributes.entry", "key", "value");
        attributes.iter().try_for_each(|(name, value)| check_attribute(name, value))?;
        let tags = form.map("Tags.member", "Key", "Value");
        let arn = self.context.topic_arn(&name);
        self.context.store.write(move |tx: &mut Transaction<'_>| create(tx, &name, &attributes, &tags)).await?;
        Ok(Answer::with("CreateTopic", xml::text("TopicArn", &arn)))
    }

    pub(super) async fn list_topics(&self, form: &Form) -> Result<Answer, Error> {
        let after = form.get("NextToken").unwrap_or_default().to_owned();
        let mut names = self.context.store.read(move |connection| names(connection, &after)).await?;
        let has_more = names.len() > PAGE;
        names.truncate(PAGE);
        let member = |name: &String| xml::around("member", [xml::text("TopicArn", &self.context.topic_arn(name))]);
        let mut result = xml::around("Topics", names.iter().map(member));
        if let Some(last) = names.last().filter(|_| has_more) {
            result += &xml::text("NextToken", last);
        }
        Ok(Answer::with("ListTopics", result))
    }

    pub(super) async fn get_topic_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let name = self.context.topic_name(form.require("TopicArn")?)?;
        let arn = self.context.topic_arn(&name);
        let read = move |connection: &Connection| {
            let attributes = get(connection, &name)?;
            let subscriptions: i64 =
                connection
                    .query_row("SELECT count(*) FROM sns_subscriptions WHERE topic = ?1", [&name], |row| row.get(0))?;
            Ok::<_, Error>((attributes, subscriptions.to_string()))
        };
        let (attributes, subscriptions) = self.context.store.read(read).await?;
        let mut shown = BTreeMap::from([
            ("TopicArn", arn.as_str()),
            ("Owner", &self.context.account),
            ("DisplayName", ""),
            ("SubscriptionsConfirmed", &subscriptions),
            ("SubscriptionsPending", "0"),
            ("SubscriptionsDeleted", "0"),
        ]);
        shown.extend(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(Answer::with("GetTopicAttributes", xml::attributes(shown)))
    }

    pub(super) async fn set_topic_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context.topic_name(form.require("TopicArn")?)?;
        let name = form.require("AttributeName")?.to_owned();
        let value = form.get("AttributeValue").unwrap_or_default().to_owned();
        check_attribute(&name, &value)?;
        let set = move |tx: &mut Transaction<'_>| {
            let mut attributes = get(tx, &topic)?;
            attributes.insert(name, value);
            let attributes = serde_json::to_string(&attributes)?;
            tx.execute("UPDATE sns_topics SET attributes = ?2 WHERE name = ?1", params![topic, attributes])?;
            Ok::<_, Error>(())
        };
        self.context.store.write(set).await?;
        Ok(Answer::empty("SetTopicAttributes"))
    }

    /// Deleting a topic that is not there succeeds (SNS API, DeleteTopic); its subscriptions go with it.
    pub(super) async fn delete_topic(&self, form: &Form) -> Result<Answer, Error> {
        if let Ok(name) = self.context.topic_name(form.require("TopicArn")?) {
            let delete = move |tx: &mut Transaction<'_>| {
                tx.execute("DELETE FROM sns_topics WHERE name = ?1", [name])?;
                Ok::<_, Error>(())
            };
            self.context.store.write(delete).await?;
        }
        Ok(Answer::empty("DeleteTopic"))
    }
}

/// The attributes of a topic that is there.
pub(super) fn get(connection: &Connection, name: &str) -> Result<TopicAttributes, Error> {
    let mut statement = connection.prepare_cached("SELECT attributes FROM sns_topics WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(serde_json::from_str(&text.ok_or_else(Error::no_such_topic)?)?)
}

/// A topic that is there already is fine when it has all the attributes that were given.
fn create(
    tx: &Transaction<'_>,
    name: &str,
    attributes: &TopicAttributes,
    tags: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let inserted = tx.execute(
        "INSERT INTO sns_topics (name, attributes, tags) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![name, serde_json::to_string(attributes)?, serde_json::to_string(tags)?],
    )?;
    if inserted == 0 {
        let existing = get(tx, name)?;
        if attributes.iter().any(|(name, value)| existing.get(name) != Some(value)) {
            return Err(Error::invalid("Attributes Reason: Topic already exists with different attributes"));
        }
    }
    Ok(())
}

fn names(connection: &Connection, after: &str) -> Result<Vec<String>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM sns_topics WHERE name > ?1 ORDER BY name LIMIT ?2")?;
    // One more than a page says whether there is another.
    let names = statement.query_map(params![after, PAGE as i64 + 1], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// 1 to 256 letters, digits, `-` and `_` (SNS API, CreateTopic).
fn check_name(name: &str) -> Result<(), Error> {
    if name.ends_with(".fifo") {
        return Err(Error::invalid("Topic Name Reason: FIFO topics are not available here"));
    }
    let is_good = (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_good { Ok(()) } else { Err(Error::invalid("Topic Name")) }
}

/// Those that are kept; of them, `SignatureVersion` has an effect here.
fn check_attribute(name: &str, value: &str) -> Result<(), Error> {
    match name {
        "DisplayName" if value.chars().count() <= 100 => Ok(()),
        "SignatureVersion" if matches!(value, "1" | "2") => Ok(()),
        "Policy" | "DeliveryPolicy" if value.is_empty() || serde_json::from_str::<serde_json::Value>(value).is_ok() => {
            Ok(())
        }
        "TracingConfig" if matches!(value, "PassThrough" | "Active") => Ok(()),
        "DisplayName" | "SignatureVersion" | "Policy" | "DeliveryPolicy" | "TracingConfig" => {
            Err(Error::invalid(format!("Attributes Reason: {name}: Invalid value")))
        }
        _ => Err(Error::invalid(format!("AttributeName Reason: {name} is not available here"))),
    }
}

impl Context {
    pub(super) fn topic_arn(&self, name: &str) -> String {
        format!("arn:aws:sns:{}:{}:{name}", self.region, self.account)
    }

    /// The name in the ARN of one of our topics.
    pub(super) fn topic_name(&self, arn: &str) -> Result<String, Error> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts[..] {
            ["arn", _, "sns", region, account, name] if check_name(name).is_ok() => {
                let is_ours = region == self.region && account == self.account;
                if is_ours { Ok(name.to_owned()) } else { Err(Error::no_such_topic()) }
            }
            _ => Err(Error::invalid("TopicArn")),
        }
    }
}
