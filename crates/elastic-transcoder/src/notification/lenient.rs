//! Numbers that some senders write as text: the Developer Guide's own samples do so, real messages do not.

use serde::{Deserialize, Deserializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match float(deserializer)? {
        None => Ok(None),
        // Exact below 2^53, which no size, duration or code passes; a part of a second counts as a whole one.
        Some(value) if (0.0..=9_007_199_254_740_992.0).contains(&value) => Ok(Some(value.ceil() as u64)),
        Some(value) => Err(D::Error::custom(format!("{value} is not a count"))),
    }
}

pub(super) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Option::<NumberOrText>::deserialize(deserializer)? {
        None => Ok(None),
        Some(NumberOrText::Number(value)) => Ok(Some(value)),
        Some(NumberOrText::Text(text)) => match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(D::Error::custom(format!("{text:?} is not a number"))),
        },
    }
}
