//! Reading a policy. The texts of the errors are those that AWS sends, without the position.

use serde_json::{Map, Value};

use super::{
    Invalid, Object, Test,
    number::Fixed,
    pattern::{Cidr, Wildcard},
    rule::{Bound, Rule},
};

/// Bounds of a policy (SNS developer guide, "Filter policy constraints").
const MOST_BYTES: usize = 256 * 1024;
const MOST_KEYS: usize = 5;
const MOST_COMBINATIONS: usize = 150;
const MOST_STARS: usize = 3;
const MOST_WILDCARD_POINTS: usize = 100;
/// What a star costs where a pattern has several; a single one costs 1 (same page).
const POINTS_OF_A_STAR: usize = 3;

/// What a key in a rule means; an object with such a key is no alternative of `$or` (SNS developer
/// guide, "AND/OR logic").
const KEYWORDS: [&str; 8] =
    ["anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"];

pub(super) fn policy(text: &str) -> Result<Object, Invalid> {
    if text.len() > MOST_BYTES {
        return Err(invalid("Filter policy is too long"));
    }
    let value: Value = serde_json::from_str(text).map_err(|_| invalid("failed to parse JSON."))?;
    let map = value.as_object().ok_or_else(|| invalid("Filter is not an object"))?;
    if map.len() > MOST_KEYS {
        return Err(invalid("Filter policy can not have more than 5 keys"));
    }
    let root = object(map)?;
    if combinations(&root, 1) > MOST_COMBINATIONS || wildcard_points(&root) > MOST_WILDCARD_POINTS {
        return Err(invalid("Filter policy is too complex"));
    }
    Ok(root)
}

fn invalid(reason: impl Into<String>) -> Invalid {
    Invalid::Policy(reason.into())
}

fn object(map: &Map<String, Value>) -> Result<Object, Invalid> {
    let mut parsed = Object::default();
    for (key, value) in map {
        match value {
            Value::Array(values) if key == "$or" && are_alternatives(values) => {
                let objects = values.iter().filter_map(Value::as_object).map(object);
                parsed.alternatives.push(objects.collect::<Result<_, _>>()?);
            }
            Value::Object(inner) if inner.is_empty() => return Err(invalid("Empty objects are not allowed")),
            Value::Object(inner) => parsed.keys.push((key.clone(), Test::Nested(object(inner)?))),
            Value::Array(rules) if rules.is_empty() => return Err(invalid("Empty arrays are not allowed")),
            Value::Array(rules) => {
                let rules = rules.iter().map(rule).collect::<Result<_, _>>()?;
                parsed.keys.push((key.clone(), Test::AnyOf(rules)));
            }
            _ => return Err(invalid(format!("\"{key}\" must be an object or an array"))),
        }
    }
    Ok(parsed)
}

/// Otherwise `$or` is a name like any other (same page).
fn are_alternatives(values: &[Value]) -> bool {
    let is_one = |value: &Value| {
        value.as_object().is_some_and(|map| !map.is_empty() && !map.keys().any(|key| KEYWORDS.contains(&key.as_str())))
    };
    values.len() >= 2 && values.iter().all(is_one)
}

fn rule(value: &Value) -> Result<Rule, Invalid> {
    match value {
        Value::Object(map) => match map.iter().next() {
            Some((keyword, value)) if map.len() == 1 => match_expression(keyword, value),
            _ => Err(invalid("Only one key allowed in match expression")),
        },
        Value::Array(_) => Err(invalid("Match value must be String, number, true, false, or null")),
        Value::Null => Ok(Rule::Null),
        Value::Bool(value) => Ok(Rule::Bool(*value)),
        Value::String(text) => Ok(Rule::Text(text.clone())),
        Value::Number(_) => fixed(value).map(Rule::Number),
    }
}

fn match_expression(keyword: &str, value: &Value) -> Result<Rule, Invalid> {
    match (keyword, value) {
        ("exists", Value::Bool(wanted)) => Ok(Rule::Exists(*wanted)),
        ("exists", _) => Err(invalid("exists match pattern must be either true or false.")),
        ("numeric", Value::Array(terms)) => numeric(terms),
        ("numeric", _) => Err(invalid("Value of numeric must be an array.")),
        ("anything-but", value) => anything_but(value),
        (_, Value::String(text)) => text_rule(keyword, text),
        _ if KEYWORDS.contains(&keyword) => Err(invalid(format!("{keyword} match pattern must be a string"))),
        _ => Err(unrecognized(keyword)),
    }
}

fn unrecognized(keyword: &str) -> Invalid {
    invalid(format!("Unrecognized match type {keyword}"))
}

fn text_rule(keyword: &str, text: &str) -> Result<Rule, Invalid> {
    match keyword {
        "prefix" | "suffix" if text.is_empty() => Err(invalid(format!("Null {keyword} not allowed"))),
        "prefix" => Ok(Rule::Prefix(text.to_owned())),
        "suffix" => Ok(Rule::Suffix(text.to_owned())),
        "equals-ignore-case" => Ok(Rule::IgnoreCase(text.to_lowercase())),
        "cidr" => Cidr::parse(text).map(Rule::Cidr).ok_or_else(|| invalid("Malformed CIDR, one '/' required")),
        "wildcard" => {
            let wildcard = Wildcard::parse(text).ok_or_else(|| invalid("Malformed wildcard pattern"))?;
            if wildcard.stars() > MOST_STARS {
                return Err(invalid(format!("A wildcard pattern can not have more than {MOST_STARS} wildcards")));
            }
            Ok(Rule::Wildcard(wildcard))
        }
        _ => Err(unrecognized(keyword)),
    }
}

/// A value, several of one type, or texts that a prefix, suffix, wildcard or spelling excludes.
fn anything_but(value: &Value) -> Result<Rule, Invalid> {
    let rules = match value {
        Value::Object(map) => match map.iter().next() {
            Some((keyword, value)) if map.len() == 1 => excluded_texts(keyword, value)?,
            _ => return Err(invalid("Only one key allowed in match expression")),
        },
        one_or_several => {
            let values = one_or_more(one_or_several)?;
            let of_one_type = values.iter().all(Value::is_string) || values.iter().all(Value::is_number);
            if !of_one_type {
                return Err(invalid("Inside anything but list, either all values are number or string"));
            }
            values.iter().map(rule).collect::<Result<_, _>>()?
        }
    };
    Ok(Rule::AnythingBut(rules))
}

fn excluded_texts(keyword: &str, value: &Value) -> Result<Vec<Rule>, Invalid> {
    if !matches!(keyword, "prefix" | "suffix" | "wildcard" | "equals-ignore-case") {
        return Err(invalid(format!("Unsupported anything-but pattern: {keyword}")));
    }
    let text = |value: &Value| {
        let text = value.as_str().ok_or_else(|| invalid(format!("{keyword} match pattern must be a string")))?;
        text_rule(keyword, text)
    };
    one_or_more(value)?.iter().map(text).collect()
}

fn one_or_more(value: &Value) -> Result<&[Value], Invalid> {
    match value {
        Value::Array(values) if values.is_empty() => Err(invalid("Empty arrays are not allowed")),
        Value::Array(values) => Ok(values),
        one => Ok(std::slice::from_ref(one)),
    }
}

fn fixed(value: &Value) -> Result<Fixed, Invalid> {
    Fixed::of(value).ok_or_else(|| invalid("Value must be between -1.0E9 and 1.0E9, inclusive"))
}

/// `["=", 1]`, `[">", 1]` or `[">=", 1, "<", 2]`.
fn numeric(terms: &[Value]) -> Result<Rule, Invalid> {
    let [operator, rest @ ..] = terms else { return Err(invalid("Invalid member in numeric match: ]")) };
    let operator = operator.as_str().ok_or_else(|| invalid(format!("Invalid member in numeric match: {operator}")))?;
    let is_bottom = match operator {
        "=" | "<" | "<=" => false,
        ">" | ">=" => true,
        _ => return Err(invalid(format!("Unrecognized numeric range operator: {operator}"))),
    };
    let at = operand(if operator == "=" { "equals" } else { operator }, rest.first())?;
    let bound = Bound { at, is_inclusive: operator.len() == 2 };
    match rest.get(1..).unwrap_or_default() {
        [] if operator == "=" => Ok(Rule::Number(at)),
        [] if is_bottom => Ok(Rule::Range { bottom: Some(bound), top: None }),
        [] => Ok(Rule::Range { bottom: None, top: Some(bound) }),
        rest if is_bottom => Ok(Rule::Range { bottom: Some(bound), top: Some(top(rest, at)?) }),
        _ => Err(invalid("Too many elements in numeric expression")),
    }
}

fn top(terms: &[Value], bottom: Fixed) -> Result<Bound, Invalid> {
    let [operator, rest @ ..] = terms else { return Err(invalid("Invalid member in numeric match: ]")) };
    let operator = operator.as_str().ok_or_else(|| invalid(format!("Bad value in numeric range: {operator}")))?;
    if !matches!(operator, "<" | "<=") {
        return Err(invalid(format!("Bad numeric range operator: {operator}")));
    }
    let at = operand(operator, rest.first())?;
    if rest.len() > 1 {
        return Err(invalid("Too many terms in numeric range expression"));
    }
    if at <= bottom {
        return Err(invalid("Bottom must be less than top"));
    }
    Ok(Bound { at, is_inclusive: operator == "<=" })
}

fn operand(operator: &str, value: Option<&Value>) -> Result<Fixed, Invalid> {
    let value = value.filter(|value| value.is_number());
    fixed(value.ok_or_else(|| invalid(format!("Value of {operator} must be numeric")))?)
}

/// The values of all arrays multiplied, each times the depth of its key; those of alternatives add up
/// (SNS developer guide, "Filter policy constraints" and "AND/OR logic").
fn combinations(object: &Object, depth: usize) -> usize {
    let of_keys = object.keys.iter().map(|(_, test)| match test {
        Test::Nested(inner) => combinations(inner, depth + 1),
        Test::AnyOf(rules) => rules.len().saturating_mul(depth),
    });
    let sum =
        |objects: &Vec<Object>| objects.iter().map(|object| combinations(object, depth)).fold(0, usize::saturating_add);
    of_keys.chain(object.alternatives.iter().map(sum)).fold(1, usize::saturating_mul)
}

/// Of each array the points of its patterns times their number, all added up (same page).
fn wildcard_points(object: &Object) -> usize {
    let of_keys = object.keys.iter().map(|(_, test)| match test {
        Test::Nested(inner) => wildcard_points(inner),
        Test::AnyOf(rules) => {
            let (mut points, mut patterns) = (0, 0);
            for wildcard in rules.iter().flat_map(wildcards) {
                points += if wildcard.stars() == 1 { 1 } else { wildcard.stars() * POINTS_OF_A_STAR };
                patterns += 1;
            }
            points * patterns
        }
    });
    let of_alternatives = object.alternatives.iter().flatten().map(wildcard_points);
    of_keys.chain(of_alternatives).sum()
}

fn wildcards(rule: &Rule) -> Vec<&Wildcard> {
    match rule {
        Rule::Wildcard(wildcard) => vec![wildcard],
        Rule::AnythingBut(rules) => rules.iter().flat_map(wildcards).collect(),
        _ => Vec::new(),
    }
}
