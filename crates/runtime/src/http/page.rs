//! Lists: `?limit=` and `?cursor=` in, `items` and `next_cursor` out.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// How many items a page has: 1 to 100, 20 when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// One more than the page shows: whether that one exists tells if there is a next page.
    #[must_use]
    pub const fn probe(self) -> i64 {
        self.0 as i64 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(limit @ 1..=100) => Ok(Self(limit)),
            _ => Err(D::Error::custom("limit must be a number from 1 to 100")),
        }
    }
}

/// The query of a list whose items have ids of type `Id`. Items are listed newest first; ids sort by time.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "Id: FromStr")]
pub struct PageParams<Id> {
    /// How many items to show.
    #[serde(default)]
    pub limit: Limit,
    /// Where the page before ended.
    #[serde(default, deserialize_with = "cursor")]
    pub cursor: Option<Id>,
}

fn cursor<'de, Id: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| D::Error::custom("cursor is not one that this list gave"))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// What to pass as `?cursor=` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page out of up to [`Limit::probe`] items.
    pub fn new<Id: Display>(mut items: Vec<T>, limit: Limit, id: impl Fn(&T) -> Id) -> Self {
        let more = items.len() > limit.0 as usize;
        items.truncate(limit.0 as usize);
        let next_cursor = if more { items.last().map(|last| id(last).to_string()) } else { None };
        Self { items, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = |items: Vec<u32>| Page::new(items, Limit(2), |item| *item).next_cursor;
        assert_eq!(page(vec![9, 8, 7]), Some("8".to_owned()));
        assert_eq!(page(vec![9, 8]), None);
        assert_eq!(page(vec![]), None);
    }

    #[test]
    fn limits_are_checked() {
        let parse = |json: &str| serde_json::from_str::<PageParams<u32>>(json);
        assert_eq!(parse("{}").unwrap().limit, Limit(20));
        assert_eq!(parse(r#"{"limit":"100","cursor":"7"}"#).unwrap().cursor, Some(7));
        for bad in [r#"{"limit":"0"}"#, r#"{"limit":"101"}"#, r#"{"limit":"x"}"#, r#"{"cursor":"x"}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
