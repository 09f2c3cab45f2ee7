//! One rule of a policy, and whether a value satisfies it.

use serde_json::Value;

use super::{
    number::Fixed,
    pattern::{Cidr, Wildcard},
};

/// What a value must be like.
#[derive(Debug, PartialEq)]
pub(super) enum Rule {
    /// Whether the property is there at all.
    Exists(bool),
    /// The value must be like none of these.
    AnythingBut(Vec<Rule>),
    Null,
    Bool(bool),
    Number(Fixed),
    /// Above and below, each perhaps inclusive.
    Range {
        bottom: Option<Bound>,
        top: Option<Bound>,
    },
    Text(String),
    /// Compared in lower case, in which this is.
    IgnoreCase(String),
    Prefix(String),
    Suffix(String),
    Wildcard(Wildcard),
    Cidr(Cidr),
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) at: Fixed,
    pub(super) is_inclusive: bool,
}

impl Rule {
    pub(super) fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            // Objects are no values: `exists` works on leaves only (SNS developer guide, "Key matching").
            (Self::Exists(false), value) => value.is_none_or(Value::is_object),
            (Self::Exists(true), Some(value)) => !is_hollow(value),
            (_, None) => false,
            (rule, Some(value)) => any_leaf(value, |leaf| rule.fits(leaf)),
        }
    }

    fn fits(&self, leaf: &Value) -> bool {
        match self {
            Self::Exists(_) => false,
            Self::AnythingBut(rules) => !rules.iter().any(|rule| rule.fits(leaf)),
            Self::Null => leaf.is_null(),
            Self::Bool(wanted) => leaf.as_bool() == Some(*wanted),
            Self::Number(wanted) => Fixed::of(leaf) == Some(*wanted),
            Self::Range { bottom, top } => Fixed::of(leaf).is_some_and(|number| {
                bottom.is_none_or(|bound| number > bound.at || (bound.is_inclusive && number == bound.at))
                    && top.is_none_or(|bound| number < bound.at || (bound.is_inclusive && number == bound.at))
            }),
            _ => leaf.as_str().is_some_and(|text| self.fits_text(text)),
        }
    }

    fn fits_text(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => text == wanted,
            Self::IgnoreCase(wanted) => text.to_lowercase() == *wanted,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(cidr) => cidr.contains(text),
            _ => false,
        }
    }
}

/// A property must have a value that is neither null nor empty to exist (same page).
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// Each element of an array is a value of its own.
fn any_leaf(value: &Value, test: impl Fn(&Value) -> bool + Copy) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| any_leaf(element, test)),
        Value::Object(_) => false,
        leaf => test(leaf),
    }
}
