//! The access keys that may sign.

use std::{collections::HashMap, fmt, str::FromStr};

/// Secrets by access key id. `Debug` shows the ids alone.
#[derive(Clone, Default)]
pub struct AccessKeys {
    secrets: HashMap<String, String>,
}

/// Text that is not `ID:SECRET[,ID:SECRET…]`. It says which entry, never what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access key {0} is not written ID:SECRET")]
pub struct ParseAccessKeysError(usize);

impl AccessKeys {
    /// Adds a key, or gives a known one a new secret.
    pub fn insert(&mut self, id: impl Into<String>, secret: impl Into<String>) {
        self.secrets.insert(id.into(), secret.into());
    }

    /// The secret of an access key id.
    pub fn secret(&self, id: &str) -> Option<&str> {
        self.secrets.get(id).map(String::as_str)
    }

    /// Whether no key is known, so that every request is refused.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

impl<I: Into<String>, S: Into<String>> FromIterator<(I, S)> for AccessKeys {
    fn from_iter<T: IntoIterator<Item = (I, S)>>(pairs: T) -> Self {
        Self { secrets: pairs.into_iter().map(|(id, secret)| (id.into(), secret.into())).collect() }
    }
}

impl FromStr for AccessKeys {
    type Err = ParseAccessKeysError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = |(index, entry): (usize, &str)| match entry.trim().split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => Ok((id.to_owned(), secret.to_owned())),
            _ => Err(ParseAccessKeysError(index + 1)),
        };
        text.split(',').enumerate().map(pair).collect()
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_keys_are_read() {
        let keys: AccessKeys = "one:first, two:sec:ond".parse().unwrap();
        assert_eq!(keys.secret("one"), Some("first"));
        assert_eq!(keys.secret("two"), Some("sec:ond"));
        assert_eq!(keys.secret("three"), None);
    }

    #[test]
    fn bad_text_is_refused_without_showing_it() {
        for (bad, entry) in [("", 1), ("id", 1), ("id:", 1), (":secret", 1), ("a:b,", 2)] {
            assert_eq!(bad.parse::<AccessKeys>().unwrap_err(), ParseAccessKeysError(entry), "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let keys: AccessKeys = "one:hidden".parse().unwrap();
        assert_eq!(format!("{keys:?}"), r#"{"one"}"#);
    }
}
