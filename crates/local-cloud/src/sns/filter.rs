//! Filter policies: which messages of a topic a subscription wants (SNS developer guide, "Amazon SNS
//! subscription filter policies"). Nothing here touches the store or the network.

mod number;
mod parse;
mod pattern;
mod rule;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::sqs::{Attribute, Attributes};
use rule::Rule;

/// What of a message a policy is held against; `FilterPolicyScope`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

impl Scope {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "MessageAttributes" => Some(Self::MessageAttributes),
            "MessageBody" => Some(Self::MessageBody),
            _ => None,
        }
    }
}

/// A policy that was checked.
#[derive(Debug, PartialEq)]
pub(super) struct FilterPolicy {
    root: Object,
    scope: Scope,
}

/// Why text is no filter policy, in the words of AWS.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("FilterPolicy: {0}")]
    Policy(String),
    #[error("Filter policy scope MessageAttributes does not support nested filter policy")]
    Nested,
}

/// All keys must hold, and of each `$or` one alternative.
#[derive(Debug, Default, PartialEq)]
struct Object {
    keys: Vec<(String, Test)>,
    alternatives: Vec<Vec<Object>>,
}

#[derive(Debug, PartialEq)]
enum Test {
    Nested(Object),
    /// One of them must hold.
    AnyOf(Vec<Rule>),
}

impl FilterPolicy {
    pub(super) fn parse(text: &str, scope: Scope) -> Result<Self, Invalid> {
        let root = parse::policy(text)?;
        if scope == Scope::MessageAttributes && root.has_nested() {
            return Err(Invalid::Nested);
        }
        Ok(Self { root, scope })
    }

    /// Whether a message passes. A body that is not a JSON object passes no policy on bodies.
    pub(super) fn passes<'a>(&self, attributes: &Attributes, body: impl FnOnce() -> &'a Value) -> bool {
        match self.scope {
            Scope::MessageAttributes => self.holds(&properties(attributes)),
            Scope::MessageBody => self.holds(body()),
        }
    }

    fn holds(&self, properties: &Value) -> bool {
        // `exists: false` wants at least one attribute (SNS developer guide, "Key matching"), and all
        // other rules want the one that they name.
        let is_empty = properties.as_object().is_none_or(Map::is_empty);
        self.root.is_empty() || (!is_empty && self.root.holds(Some(properties)))
    }
}

impl Object {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.alternatives.is_empty()
    }

    fn has_nested(&self) -> bool {
        self.keys.iter().any(|(_, test)| matches!(test, Test::Nested(_)))
            || self.alternatives.iter().flatten().any(Self::has_nested)
    }

    /// Of several objects in an array, one must satisfy all of it.
    fn holds(&self, value: Option<&Value>) -> bool {
        if let Some(Value::Array(elements)) = value {
            return elements.iter().any(|element| self.holds(Some(element)));
        }
        let object = value.and_then(Value::as_object);
        let key_holds = |(key, test): &(String, Test)| {
            let value = object.and_then(|object| object.get(key));
            match test {
                Test::Nested(inner) => inner.holds(value),
                Test::AnyOf(rules) => rules.iter().any(|rule| rule.holds(value)),
            }
        };
        self.keys.iter().all(key_holds)
            && self.alternatives.iter().all(|objects| objects.iter().any(|object| object.holds(value)))
    }
}

/// The attributes that policies look at, as one JSON object. Other data types are passed over (SNS
/// developer guide, "Filter policy constraints").
fn properties(attributes: &Attributes) -> Value {
    let values = attributes.iter().filter_map(|(name, attribute)| Some((name.clone(), property(attribute)?)));
    Value::Object(values.collect())
}

fn property(attribute: &Attribute) -> Option<Value> {
    let text = attribute.string_value.as_deref()?;
    match attribute.data_type.as_str() {
        "String" => Some(text.into()),
        "String.Array" => serde_json::from_str(text).ok().filter(Value::is_array),
        "Number" => Number::from_f64(text.parse().ok()?).map(Value::Number),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
