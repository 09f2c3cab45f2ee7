//! Parameters of the query protocol: flat names like `Attributes.entry.1.key`.

use std::collections::{BTreeMap, HashMap};

use super::error::Error;
use crate::sqs::{Attribute, Attributes};

/// The most members that are read of any list or map.
const MOST_MEMBERS: usize = 100;

/// The parameters of one request.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    /// From the query of a GET and the body of a POST.
    pub(super) fn parse(query: Option<&str>, body: &[u8]) -> Self {
        let query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(query.into_owned().chain(form_urlencoded::parse(body).into_owned()).collect())
    }

    /// Bytes of all names and values.
    pub(super) fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn require(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::invalid(format!("{name} Reason: no value for required parameter")))
    }

    /// The prefixes of the members of a list, such as `Tags.member.1`, as far as `field` is there.
    pub(super) fn members<'a>(&'a self, list: &'a str, field: &'a str) -> impl Iterator<Item = String> + 'a {
        let prefixes = (1..=MOST_MEMBERS).map(move |n| format!("{list}.{n}"));
        prefixes.take_while(move |prefix| self.0.contains_key(&format!("{prefix}.{field}")))
    }

    /// A map of strings, such as `Attributes.entry.1.key` and `.value`.
    pub(super) fn map(&self, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        let pair = |prefix: String| {
            let field = |name: &str| self.get(&format!("{prefix}.{name}")).unwrap_or_default().to_owned();
            (field(key), field(value))
        };
        self.members(list, key).map(pair).collect()
    }

    /// A list of strings, such as `TagKeys.member.1`.
    pub(super) fn list(&self, list: &str) -> Vec<String> {
        let members = (1..=MOST_MEMBERS).map_while(|n| self.get(&format!("{list}.{n}")));
        members.map(str::to_owned).collect()
    }

    /// The message attributes below a prefix that ends with a dot or is empty.
    pub(super) fn message_attributes(&self, prefix: &str) -> Attributes {
        let list = format!("{prefix}MessageAttributes.entry");
        let attribute = |entry: String| {
            let field = |name: &str| self.get(&format!("{entry}.{name}")).map(str::to_owned);
            let attribute = Attribute {
                data_type: field("Value.DataType").unwrap_or_default(),
                string_value: field("Value.StringValue"),
                binary_value: field("Value.BinaryValue"),
            };
            (field("Name").unwrap_or_default(), attribute)
        };
        self.members(&list, "Name").map(attribute).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_maps_are_read_up_to_the_first_gap() {
        let body = "Action=A&Attributes.entry.1.key=a&Attributes.entry.1.value=x+y%26&Attributes.entry.2.key=b\
                    &Attributes.entry.4.key=d&MessageAttributes.entry.1.Name=n\
                    &MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=AQ%3D%3D";
        let form = Form::parse(None, body.as_bytes());
        assert_eq!(form.get("Action"), Some("A"));
        let expected = BTreeMap::from([("a".to_owned(), "x y&".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(form.map("Attributes.entry", "key", "value"), expected);
        let attribute = Attribute { data_type: "Binary".into(), string_value: None, binary_value: Some("AQ==".into()) };
        assert_eq!(form.message_attributes(""), Attributes::from([("n".to_owned(), attribute)]));
        assert!(form.require("TopicArn").is_err());
    }
}
