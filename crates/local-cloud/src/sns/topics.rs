//! Making, finding, changing and removing topics.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Sns, default_policy,
    delivery_policy::OfTopic,
    error::Error,
    form::Form,
    signer::Version,
    tags::{self, Tags},
    xml::{self, Answer},
};
use crate::{Context, policy, store::Transaction};

/// Names per page of a list (SNS API, ListTopics).
pub(super) const PAGE: usize = 100;

/// The most characters of a `DisplayName` (SNS API, SetTopicAttributes).
const LONGEST_DISPLAY_NAME: usize = 100;

/// Attributes of a topic as they were set.
pub(super) type TopicAttributes = BTreeMap<String, String>;

impl Sns {
    pub(super) async fn create_topic(&self, form: &Form) -> Result<Answer, Error> {
        let name = form.require("Name")?.to_owned();
        check_name(&name)?;
        let attributes = form.map("Attributes.entry", "key", "value");
        attributes.iter().try_for_each(|(name, value)| check_attribute(name, value))?;
        let tags = tags::given(form)?;
        let arn = self.context().topic_arn(&name);
        self.context().store.write(move |tx: &mut Transaction<'_>| create(tx, &name, &attributes, &tags)).await?;
        Ok(Answer::with("CreateTopic", xml::text("TopicArn", &arn)))
    }

    pub(super) async fn list_topics(&self, form: &Form) -> Result<Answer, Error> {
        let after = form.get("NextToken").unwrap_or_default().to_owned();
        let mut names = self.context().store.read(move |connection| names(connection, &after)).await?;
        let has_more = names.len() > PAGE;
        names.truncate(PAGE);
        let member = |name: &String| xml::around("member", [xml::text("TopicArn", &self.context().topic_arn(name))]);
        let mut result = xml::around("Topics", names.iter().map(member));
        if let Some(last) = names.last().filter(|_| has_more) {
            result += &xml::text("NextToken", last);
        }
        Ok(Answer::with("ListTopics", result))
    }

    pub(super) async fn get_topic_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let name = self.context().topic_name(form.require("TopicArn")?)?;
        let arn = self.context().topic_arn(&name);
        let read =
            move |connection: &Connection| Ok::<_, Error>((get(connection, &name)?, Counts::of(connection, &name)?));
        let (attributes, counts) = self.context().store.read(read).await?;
        let account = &self.context().account;
        let mut shown = BTreeMap::from([
            ("TopicArn", arn.clone()),
            ("Owner", account.clone()),
            ("DisplayName", String::new()),
            ("Policy", default_policy::default(&arn, account)),
            ("EffectiveDeliveryPolicy", serde_json::to_string(&delivery_policy(&attributes).effective())?),
            ("SubscriptionsConfirmed", counts.confirmed.to_string()),
            ("SubscriptionsPending", counts.pending.to_string()),
            ("SubscriptionsDeleted", counts.deleted.to_string()),
        ]);
        // An empty policy stands for the default.
        let own = attributes.iter().filter(|(name, value)| !(name.ends_with("Policy") && value.is_empty()));
        shown.extend(own.map(|(name, value)| (name.as_str(), value.clone())));
        let pairs = shown.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(Answer::with("GetTopicAttributes", xml::attributes(pairs)))
    }

    pub(super) async fn set_topic_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context().topic_name(form.require("TopicArn")?)?;
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
        self.context().store.write(set).await?;
        Ok(Answer::empty("SetTopicAttributes"))
    }

    /// Deleting a topic that is not there succeeds (SNS API, DeleteTopic); its subscriptions go with it.
    pub(super) async fn delete_topic(&self, form: &Form) -> Result<Answer, Error> {
        if let Ok(name) = self.context().topic_name(form.require("TopicArn")?) {
            let delete = move |tx: &mut Transaction<'_>| {
                tx.execute("DELETE FROM sns_topics WHERE name = ?1", [name])?;
                Ok::<_, Error>(())
            };
            self.context().store.write(delete).await?;
        }
        Ok(Answer::empty("DeleteTopic"))
    }
}

/// The attributes of a topic that is there.
pub(super) fn get(connection: &Connection, name: &str) -> Result<TopicAttributes, Error> {
    find(connection, name)?.ok_or_else(Error::no_such_topic)
}

/// The attributes of a topic, if it is there.
pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<TopicAttributes>, Error> {
    let mut statement = connection.prepare_cached("SELECT attributes FROM sns_topics WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

/// How messages of a topic that is there are signed (SNS API, SetTopicAttributes).
pub(super) fn signature_version(connection: &Connection, name: &str) -> Result<Version, Error> {
    let attributes = get(connection, name)?;
    let is_two = attributes.get("SignatureVersion").is_some_and(|version| version == "2");
    Ok(if is_two { Version::Two } else { Version::One })
}

pub(super) fn delivery_policy(attributes: &TopicAttributes) -> OfTopic {
    // It was checked when it was set; an earlier version kept any JSON.
    let text = attributes.get("DeliveryPolicy").map(String::as_str).unwrap_or_default();
    OfTopic::parse(text).unwrap_or_default()
}

/// Subscriptions of a topic by state.
struct Counts {
    confirmed: i64,
    pending: i64,
    deleted: i64,
}

impl Counts {
    fn of(connection: &Connection, topic: &str) -> Result<Self, Error> {
        let counts = "SELECT (SELECT count(*) FROM sns_subscriptions WHERE topic = ?1 AND pending = 0),
                             (SELECT count(*) FROM sns_subscriptions WHERE topic = ?1 AND pending = 1),
                             (SELECT count(*) FROM sns_unsubscribed WHERE topic = ?1)";
        let row = connection
            .prepare_cached(counts)?
            .query_row([topic], |row| Ok(Self { confirmed: row.get(0)?, pending: row.get(1)?, deleted: row.get(2)? }));
        Ok(row?)
    }
}

/// A topic that is there already is fine when it has all the attributes and tags that were given.
fn create(tx: &Transaction<'_>, name: &str, attributes: &TopicAttributes, tags: &Tags) -> Result<(), Error> {
    let inserted = tx.execute(
        "INSERT INTO sns_topics (name, attributes, tags) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        params![name, serde_json::to_string(attributes)?, serde_json::to_string(tags)?],
    )?;
    if inserted == 0 {
        let existing = get(tx, name)?;
        if attributes.iter().any(|(name, value)| existing.get(name) != Some(value)) {
            return Err(Error::invalid("Attributes Reason: Topic already exists with different attributes"));
        }
        let existing = tags::of(tx, name)?;
        if tags.iter().any(|(key, value)| existing.get(key) != Some(value)) {
            return Err(Error::invalid("Tags Reason: Topic already exists with different tags"));
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

/// Those that can be set. Encryption and tracing are not to be had here, so that no attribute claims them
/// (SNS API, SetTopicAttributes, for names and values).
fn check_attribute(name: &str, value: &str) -> Result<(), Error> {
    let invalid = |reason: &str| Err(Error::invalid(format!("Attributes Reason: {name}: {reason}")));
    match name {
        "DisplayName" if value.chars().count() <= LONGEST_DISPLAY_NAME => Ok(()),
        "SignatureVersion" if matches!(value, "1" | "2") => Ok(()),
        "TracingConfig" if value == "PassThrough" => Ok(()),
        "TracingConfig" => invalid("only PassThrough is available here"),
        "Policy" if value.is_empty() || policy::is_readable(value) => Ok(()),
        "Policy" => invalid("not a policy document"),
        "DeliveryPolicy" => {
            OfTopic::parse(value).map(drop).map_err(|reason| Error::invalid(format!("Attributes Reason: {reason}")))
        }
        "KmsMasterKeyId" if value.is_empty() => Ok(()),
        "KmsMasterKeyId" => invalid("encryption with KMS is not available here"),
        "DisplayName" | "SignatureVersion" => invalid("Invalid value"),
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
            _ if parts.len() < 6 => {
                let reason = format!("TopicArn Reason: An ARN must have at least 6 elements, not {}", parts.len());
                Err(Error::invalid(reason))
            }
            _ => Err(Error::invalid("TopicArn")),
        }
    }
}
