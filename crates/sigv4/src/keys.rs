//! The access keys that may sign.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::hmac;

/// Secrets by access key id. `Debug` shows the ids alone.
#[derive(Clone, Default)]
pub struct AccessKeys {
    secrets: HashMap<String, Arc<Secret>>,
}

/// A secret, and the signing key that was last derived from it: one day, region and service is what nearly all
/// requests of a key have.
pub(crate) struct Secret {
    text: String,
    derived: Mutex<Option<(String, hmac::Key)>>,
}

/// Text that is not `ID:SECRET[,ID:SECRET…]`. It says which entry, never what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access key {0} is not written ID:SECRET")]
pub struct ParseAccessKeysError(usize);

impl AccessKeys {
    /// Adds a key, or gives a known one a new secret.
    pub fn insert(&mut self, id: impl Into<String>, secret: impl Into<String>) {
        self.secrets.insert(id.into(), Arc::new(Secret::new(secret.into())));
    }

    /// The secret of an access key id.
    pub fn secret(&self, id: &str) -> Option<&str> {
        self.find(id).map(|secret| secret.text.as_str())
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Secret> {
        self.secrets.get(id).map(Arc::as_ref)
    }

    /// Whether no key is known, so that every request is refused.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
}

impl Secret {
    fn new(text: String) -> Self {
        Self { text, derived: Mutex::default() }
    }

    /// The key that signs in a scope (SigV4, "Calculate the signature").
    pub(crate) fn signing_key(&self, day: &str, region: &str, service: &str) -> hmac::Key {
        let scope = format!("{day}/{region}/{service}");
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, key)) = derived.as_ref()
            && *known == scope
        {
            return key.clone();
        }
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", self.text).as_bytes());
        let key = [day, region, service, "aws4_request"]
            .iter()
            .fold(first, |key, text| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, text.as_bytes()).as_ref()));
        *derived = Some((scope, key.clone()));
        key
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<I: Into<String>, S: Into<String>> FromIterator<(I, S)> for AccessKeys {
    fn from_iter<T: IntoIterator<Item = (I, S)>>(pairs: T) -> Self {
        let mut keys = Self::default();
        pairs.into_iter().for_each(|(id, secret)| keys.insert(id, secret));
        keys
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
    fn a_signing_key_is_of_its_scope() {
        let keys: AccessKeys = "one:first,two:second".parse().unwrap();
        let sign = |id: &str, day: &str, region: &str, service: &str| {
            let key = keys.find(id).unwrap().signing_key(day, region, service);
            hmac::sign(&key, b"text").as_ref().to_vec()
        };
        let scopes = [
            ("one", "20260101", "r", "s3"),
            ("one", "20260102", "r", "s3"),
            ("one", "20260101", "r", "sqs"),
            ("one", "20260101", "q", "s3"),
            ("two", "20260101", "r", "s3"),
        ];
        let all = || scopes.map(|(id, day, region, service)| sign(id, day, region, service));
        let signed: std::collections::HashSet<_> = all().into();
        assert_eq!(signed.len(), scopes.len());
        for (scope, before) in scopes.iter().zip(all()) {
            let (id, day, region, service) = *scope;
            assert_eq!(sign(id, day, region, service), before);
            assert_eq!(sign(id, day, region, service), before, "the second time");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let keys: AccessKeys = "one:hidden".parse().unwrap();
        assert_eq!(format!("{keys:?}"), r#"{"one"}"#);
    }
}
