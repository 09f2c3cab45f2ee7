//! Where a webhook may point to.

use std::{net::IpAddr, str::FromStr};

use url::{Host, Url};

use super::{address::is_public, resolver::NoAddress};

/// The longest URL.
const MAX_URL: usize = 2048;

/// A host that webhooks may point to though it is not on the public internet, without TLS too: `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateHost {
    host: Host,
    port: Option<u16>,
}

/// The text names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a host, nor a host and port: hooks.internal, 10.0.0.7:8080, [fd00::1]")]
pub struct InvalidHost;

/// A URL that may be posted to, as far as can be told without asking where its host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    private: bool,
}

/// Why a URL may not be posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No absolute URL, or one that is too long.
    #[error("it is not an absolute URL of at most {MAX_URL} characters")]
    Unreadable,
    /// Neither https nor an allowed exception.
    #[error("it does not begin with https://")]
    Scheme,
    /// Credentials in a URL end up in logs.
    #[error("it names a user or password")]
    UserInfo,
    /// A fragment is never sent.
    #[error("it has a fragment")]
    Fragment,
    /// Ports below 1024 belong to services that are no web servers.
    #[error("its port is neither 443 nor above 1023")]
    Port,
    /// See [`NoAddress`].
    #[error(transparent)]
    Address(#[from] NoAddress),
}

impl Target {
    /// Checks everything but the addresses of a named host.
    pub fn parse(text: &str, private_hosts: &[PrivateHost]) -> Result<Self, Refused> {
        if text.len() > MAX_URL {
            return Err(Refused::Unreadable);
        }
        let url = Url::parse(text).map_err(|_| Refused::Unreadable)?;
        let private = private_hosts.iter().any(|known| known.is_of(&url));
        match url.scheme() {
            "https" => {}
            "http" if private => {}
            _ => return Err(Refused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        if !private && !matches!(url.port_or_known_default(), Some(443 | 1024..)) {
            return Err(Refused::Port);
        }
        let target = Self { url, private };
        match target.literal() {
            Some(ip) if !private && !is_public(ip) => Err(NoAddress::NotPublic.into()),
            _ => Ok(target),
        }
    }

    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Whether a setting allows it wherever it is.
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// The name of a host whose addresses are still to be looked at.
    pub fn unchecked_name(&self) -> Option<&str> {
        if self.private { None } else { self.url.domain() }
    }

    /// The address that stands in the URL itself. Clients ask no resolver for it.
    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            Host::Domain(_) => None,
        }
    }
}

impl PrivateHost {
    fn is_of(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| host.to_owned() == self.host)
            && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl FromStr for PrivateHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().map_err(|_| InvalidHost)?)),
            _ => (text, None),
        };
        let host = Host::parse(host).map_err(|_| InvalidHost)?;
        Ok(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, Refused> {
        let allowed = ["hooks.internal", "127.0.0.1:8080", "[fd00::1]"].map(|host| host.parse().unwrap());
        Target::parse(url, &allowed)
    }

    #[test]
    fn public_urls_are_taken() {
        for url in [
            "https://example.com/hook?key=1",
            "https://example.com:8443",
            "https://93.184.216.34/",
            "https://[2606:4700::1111]/",
            "HTTPS://EXAMPLE.com",
        ] {
            assert!(!parse(url).unwrap().is_private(), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let not_public = Refused::Address(NoAddress::NotPublic);
        for (url, why) in [
            ("", Refused::Unreadable),
            ("example.com/hook", Refused::Unreadable),
            ("https://", Refused::Unreadable),
            ("http://example.com/", Refused::Scheme),
            ("ftp://example.com/", Refused::Scheme),
            ("file:///etc/passwd", Refused::Scheme),
            ("gopher://127.0.0.1:25/", Refused::Scheme),
            ("https://user@example.com/", Refused::UserInfo),
            ("https://:pass@example.com/", Refused::UserInfo),
            ("https://example.com/#a", Refused::Fragment),
            ("https://example.com:25/", Refused::Port),
            ("https://example.com:80/", Refused::Port),
            ("https://127.0.0.1/", not_public),
            // Other spellings of the same.
            ("https://127.1/", not_public),
            ("https://2130706433/", not_public),
            ("https://0x7f.0.0.1/", not_public),
            ("https://0177.0.0.1/", not_public),
            ("https://[::1]/", not_public),
            ("https://[::ffff:7f00:1]/", not_public),
            ("https://１２７.0.0.1/", not_public),
            ("https://169.254.169.254/latest/meta-data/", not_public),
            ("https://127.0.0.1:8081/", not_public),
            ("http://127.0.0.1:8081/", Refused::Scheme),
            ("https://[fd00::2]/", not_public),
        ] {
            assert_eq!(parse(url).unwrap_err(), why, "{url}");
        }
        assert_eq!(parse(&format!("https://example.com/{}", "x".repeat(MAX_URL))), Err(Refused::Unreadable));
    }

    #[test]
    fn a_setting_allows_named_hosts() {
        for url in
            ["http://hooks.internal/a", "https://hooks.internal:9/", "http://127.0.0.1:8080", "https://[fd00::1]:25/"]
        {
            assert!(parse(url).unwrap().is_private(), "{url}");
        }
        assert_eq!(parse("ftp://hooks.internal/"), Err(Refused::Scheme));
        for bad in ["", "a b", "http://a", "a:x", "a:70000"] {
            assert!(bad.parse::<PrivateHost>().is_err(), "{bad}");
        }
    }
}
