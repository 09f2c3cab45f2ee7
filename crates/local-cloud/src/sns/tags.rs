//! Tags of topics (SNS API, TagResource).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Sns,
    error::{Error, kind},
    form::Form,
    xml::{self, Answer},
};
use crate::store::Transaction;

/// The most tags of one topic, and the longest key and value (SNS developer guide, "Amazon SNS topic
/// tagging"; SNS API, Tag).
const MOST: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

pub(super) type Tags = BTreeMap<String, String>;

impl Sns {
    pub(super) async fn tag_resource(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.tagged(form)?;
        let given = given(form)?;
        let tag = move |tx: &mut Transaction<'_>| {
            let mut tags = get(tx, &topic)?;
            tags.extend(given);
            if tags.len() > MOST {
                let message = format!("Could not complete request: tag quota of per resource ({MOST}) exceeded");
                return Err(Error::client(kind::TAG_LIMIT, message));
            }
            set(tx, &topic, &tags)
        };
        self.context().store.write(tag).await?;
        Ok(Answer::with("TagResource", String::new()))
    }

    pub(super) async fn untag_resource(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.tagged(form)?;
        let keys = form.list("TagKeys.member");
        let untag = move |tx: &mut Transaction<'_>| {
            let mut tags = get(tx, &topic)?;
            tags.retain(|key, _| !keys.contains(key));
            set(tx, &topic, &tags)
        };
        self.context().store.write(untag).await?;
        Ok(Answer::with("UntagResource", String::new()))
    }

    pub(super) async fn list_tags_for_resource(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.tagged(form)?;
        let tags = self.context().store.read(move |connection| get(connection, &topic)).await?;
        let member = |(key, value): (&String, &String)| {
            xml::around("member", [xml::text("Key", key), xml::text("Value", value)])
        };
        Ok(Answer::with("ListTagsForResource", xml::around("Tags", tags.iter().map(member))))
    }

    /// The topic that `ResourceArn` names; nothing else has tags.
    fn tagged(&self, form: &Form) -> Result<String, Error> {
        self.context().topic_name(form.require("ResourceArn")?).map_err(|error| match error {
            Error::Client { kind, .. } if kind == kind::NOT_FOUND => no_such_resource(),
            _ => Error::invalid("ResourceArn"),
        })
    }
}

/// The tags of a request.
pub(super) fn given(form: &Form) -> Result<Tags, Error> {
    let mut tags = Tags::new();
    for prefix in form.members("Tags.member", "Key") {
        let field = |name: &str| form.get(&format!("{prefix}.{name}")).unwrap_or_default();
        let (key, value) = (field("Key"), field("Value"));
        check(key, value)?;
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Error::invalid("Duplicated keys are not allowed."));
        }
    }
    if tags.len() > MOST {
        return Err(Error::invalid(format!("Tags Reason: a topic can have {MOST} tags")));
    }
    Ok(tags)
}

/// The tags of a topic that is there.
pub(super) fn of(connection: &Connection, topic: &str) -> Result<Tags, Error> {
    find(connection, topic)?.ok_or_else(Error::no_such_topic)
}

fn get(connection: &Connection, topic: &str) -> Result<Tags, Error> {
    find(connection, topic)?.ok_or_else(no_such_resource)
}

fn find(connection: &Connection, topic: &str) -> Result<Option<Tags>, Error> {
    let mut statement = connection.prepare_cached("SELECT tags FROM sns_topics WHERE name = ?1")?;
    let text: Option<String> = statement.query_row([topic], |row| row.get(0)).optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn set(connection: &Connection, topic: &str, tags: &Tags) -> Result<(), Error> {
    let tags = serde_json::to_string(tags)?;
    connection.execute("UPDATE sns_topics SET tags = ?2 WHERE name = ?1", params![topic, tags])?;
    Ok(())
}

/// Letters, digits, blanks and `_.:/=+-@`; `aws:` in front of a key is for AWS (AWS tagging guide, "Tag naming
/// limits and requirements").
fn check(key: &str, value: &str) -> Result<(), Error> {
    let is_good = |text: &str| {
        text.chars()
            .all(|character| character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character))
    };
    let key_is_good = (1..=LONGEST_KEY).contains(&key.chars().count())
        && is_good(key)
        && !key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    let value_is_good = value.chars().count() <= LONGEST_VALUE && is_good(value);
    if key_is_good && value_is_good { Ok(()) } else { Err(Error::invalid("Tags")) }
}

fn no_such_resource() -> Error {
    Error::client(kind::RESOURCE_NOT_FOUND, "Resource does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_rules_hold() {
        for (key, value) in [("k", ""), ("Größe 1", "a/b=c+d-e@f.g:h_i"), (&"k".repeat(128), &"v".repeat(256))] {
            assert!(check(key, value).is_ok(), "{key}");
        }
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for (key, value) in
            [("", ""), ("aws:k", ""), ("AWS:k", ""), ("k!", ""), ("k", "*"), (&long_key, ""), ("k", &long_value)]
        {
            assert!(check(key, value).is_err(), "{key} {value}");
        }
    }
}
