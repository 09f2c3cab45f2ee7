//! From where a signing certificate may be fetched.
//!
//! The URL comes from whoever posts, so it is compared as text with what is expected. Parsing it first would let in
//! what parsers forgive: tabs, back slashes, empty user info, other spellings of a host.

use std::{fmt, str::FromStr};

use url::Url;

/// The longest name of a certificate: SNS uses 32 digits.
const MAX_DIGITS: usize = 64;

/// An AWS region: `eu-west-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(String);

/// The text is no name of a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a region: use a name such as eu-west-1")]
pub struct InvalidRegion;

impl Region {
    /// The region's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The base of all URLs of SNS there; those in China have a domain of their own (AWS General Reference).
    fn base(&self) -> String {
        format!("https://sns.{}.{}", self.0, self.domain())
    }

    pub(crate) fn domain(&self) -> &'static str {
        if self.0.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        // It becomes a label of a host name, so nothing else may be in it.
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidRegion) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that speaks for SNS elsewhere than at AWS: `http://127.0.0.1:4566`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// The text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an endpoint: use http or https, a host and perhaps a port, and nothing else")]
pub struct InvalidEndpoint;

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let text = text.trim_end_matches('/');
        let url = Url::parse(text).map_err(|_| InvalidEndpoint)?;
        let plain = text.matches('/').count() == 2 && !text.contains(['@', '?', '#', '\\']) && url.has_host();
        match url.scheme() {
            "http" | "https" if plain => Ok(Self(text.to_owned())),
            _ => Err(InvalidEndpoint),
        }
    }
}

impl Endpoint {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The URL of a certificate that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SigningCertUrl {
    text: String,
    local: bool,
}

impl SigningCertUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is one of the local endpoint.
    pub(crate) const fn is_local(&self) -> bool {
        self.local
    }
}

/// Where certificates may come from.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    bases: Vec<String>,
    local: Option<String>,
}

impl Sources {
    pub(crate) fn new(regions: &[Region], local: Option<&Endpoint>) -> Self {
        Self { bases: regions.iter().map(Region::base).collect(), local: local.map(|endpoint| endpoint.0.clone()) }
    }

    /// The URL, if it is one of an expected host and names a certificate.
    pub(crate) fn check(&self, url: &str) -> Option<SigningCertUrl> {
        let below = |base: &String| url.strip_prefix(base.as_str()).is_some_and(names_certificate);
        let local = self.local.as_ref().is_some_and(below);
        (local || self.bases.iter().any(below)).then(|| SigningCertUrl { text: url.to_owned(), local })
    }
}

fn names_certificate(path: &str) -> bool {
    let name = path.strip_prefix("/SimpleNotificationService-").and_then(|name| name.strip_suffix(".pem"));
    name.is_some_and(|digits| (1..=MAX_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests;
