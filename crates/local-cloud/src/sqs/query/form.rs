//! Form fields such as `SendMessageBatchRequestEntry.1.MessageAttribute.2.Value.StringValue` as the
//! JSON that the operations read.

use serde_json::{Map, Value};

use crate::sqs::error::{Error, kind};

/// The most parts of a name: that of the longest above.
const MOST_PARTS: usize = 7;
/// The fields that are numbers.
const NUMBERS: [&str; 6] = [
    "DelaySeconds",
    "MaxNumberOfMessages",
    "MaxNumberOfMessagesPerSecond",
    "MaxResults",
    "VisibilityTimeout",
    "WaitTimeSeconds",
];
/// Maps: the name in a form, the name in JSON, and what keys and values are called.
const MAPS: [(&str, &str, &str, &str); 4] = [
    ("Attribute", "Attributes", "Name", "Value"),
    ("MessageAttribute", "MessageAttributes", "Name", "Value"),
    ("MessageSystemAttribute", "MessageSystemAttributes", "Name", "Value"),
    ("Tag", "Tags", "Key", "Value"),
];
/// Lists of strings.
const LISTS: [(&str, &str); 6] = [
    ("ActionName", "Actions"),
    ("AttributeName", "AttributeNames"),
    ("AWSAccountId", "AWSAccountIds"),
    ("MessageAttributeName", "MessageAttributeNames"),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames"),
    ("TagKey", "TagKeys"),
];

/// The parameters of one request.
pub(super) fn parse(query: &[u8], body: &[u8]) -> Result<Map<String, Value>, Error> {
    let mut tree = Map::new();
    for (name, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(body)) {
        let parts: Vec<&str> = name.splitn(MOST_PARTS + 1, '.').collect();
        insert(&mut tree, &parts, &value).ok_or_else(|| malformed(&name))?;
    }
    fields(tree)
}

/// One field of the form, at its place in the tree; `None` where something else is.
fn insert(tree: &mut Map<String, Value>, parts: &[&str], value: &str) -> Option<()> {
    match parts {
        [] => None,
        _ if parts.len() > MOST_PARTS => None,
        [name] => {
            let before = tree.insert((*name).to_owned(), value.into());
            before.is_none_or(|before| before.is_string()).then_some(())
        }
        [name, rest @ ..] => {
            let branch = tree.entry(*name).or_insert_with(|| Map::new().into());
            insert(branch.as_object_mut()?, rest, value)
        }
    }
}

/// The fields of a request, or of an entry of a batch, by their names in JSON. botocore writes an
/// empty list or map as a field without a value, under its name in JSON or in the form.
fn fields(tree: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let is_empty = |name: &str, value: &Value| value == "" && is_collection(name);
    tree.into_iter().filter(|(name, value)| !is_empty(name, value)).map(|(name, value)| field(name, value)).collect()
}

fn is_collection(name: &str) -> bool {
    name == "Entries"
        || name.ends_with("BatchRequestEntry")
        || MAPS.iter().any(|map| name == map.0 || name == map.1)
        || LISTS.iter().any(|list| name == list.0 || name == list.1)
}

fn field(name: String, value: Value) -> Result<(String, Value), Error> {
    if let Some((_, json, key, of)) = MAPS.iter().find(|map| map.0 == name) {
        return Ok(((*json).to_owned(), map(value, key, of).ok_or_else(|| malformed(&name))?.into()));
    }
    if let Some((_, json)) = LISTS.iter().find(|list| list.0 == name) {
        return Ok(((*json).to_owned(), members(value).into()));
    }
    if name.ends_with("BatchRequestEntry") {
        let entry = |member| match member {
            Value::Object(tree) => fields(tree).map(Value::from),
            _ => Err(malformed(&name)),
        };
        let entries: Vec<Value> = members(value).into_iter().map(entry).collect::<Result<_, _>>()?;
        return Ok(("Entries".to_owned(), entries.into()));
    }
    if NUMBERS.contains(&name.as_str()) {
        let number: Option<i64> = value.as_str().and_then(|text| text.parse().ok());
        return Ok((name.clone(), number.ok_or_else(|| malformed(&name))?.into()));
    }
    Ok((name, value))
}

/// The members of `List.1`, `List.2` in the order of their numbers; a list of one needs no number.
fn members(value: Value) -> Vec<Value> {
    let Value::Object(tree) = value else { return vec![value] };
    if !tree.keys().all(|key| key.parse::<u32>().is_ok()) {
        return vec![tree.into()];
    }
    let mut members: Vec<(u32, Value)> =
        tree.into_iter().filter_map(|(key, value)| Some((key.parse().ok()?, value))).collect();
    members.sort_by_key(|(number, _)| *number);
    members.into_iter().map(|(_, value)| value).collect()
}

fn map(value: Value, key: &str, of: &str) -> Option<Map<String, Value>> {
    let pair = |mut member: Value| {
        let Value::String(name) = member.get_mut(key)?.take() else { return None };
        let value = member.get_mut(of).map(Value::take);
        Some((name, value.unwrap_or_else(|| "".into())))
    };
    members(value).into_iter().map(pair).collect()
}

fn malformed(name: &str) -> Error {
    Error::client(kind::SERIALIZATION, format!("The parameter {name} cannot be read."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(form: &str) -> Value {
        parse(b"", form.as_bytes()).unwrap().into()
    }

    #[test]
    fn maps_lists_and_numbers_become_json() {
        assert_eq!(
            read(
                "Action=A&QueueName=q&Attribute.1.Name=a&Attribute.1.Value=1&Attribute.2.Name=b&Attribute.2.Value=x+y%26"
            ),
            json!({ "Action": "A", "QueueName": "q", "Attributes": { "a": "1", "b": "x y&" } })
        );
        assert_eq!(
            read("Tag.1.Key=k&Tag.1.Value=&TagKey.2=b&TagKey.1=a"),
            json!({ "Tags": { "k": "" }, "TagKeys": ["a", "b"] })
        );
        assert_eq!(read("MaxResults=5&AttributeName=All"), json!({ "MaxResults": 5, "AttributeNames": ["All"] }));
        assert_eq!(read("Attribute.Name=a&Attribute.Value=1"), json!({ "Attributes": { "a": "1" } }));
        assert_eq!(read("Entries=&TagKeys=&AttributeName=&Attributes=&QueueName="), json!({ "QueueName": "" }));
        let ten: String = (1..=10).map(|n| format!("&TagKey.{n}={n}")).collect();
        assert_eq!(read(&ten)["TagKeys"][9], "10");
    }

    #[test]
    fn entries_of_a_batch_hold_the_same() {
        let prefix = "SendMessageBatchRequestEntry.1";
        let form = format!(
            "{prefix}.Id=a&{prefix}.DelaySeconds=3&{prefix}.MessageAttribute.1.Name=n\
             &{prefix}.MessageAttribute.1.Value.DataType=String&{prefix}.MessageAttribute.1.Value.StringValue=v"
        );
        let attribute = json!({ "DataType": "String", "StringValue": "v" });
        assert_eq!(
            read(&form),
            json!({ "Entries": [{ "Id": "a", "DelaySeconds": 3, "MessageAttributes": { "n": attribute } }] })
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for bad in [
            "A=1&A.B=2",
            "A.B=2&A=1",
            "MaxResults=x",
            "Attribute.1.Value=x",
            "XBatchRequestEntry.1=x",
            "a.b.c.d.e.f.g.h=1",
        ] {
            assert!(parse(b"", bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
