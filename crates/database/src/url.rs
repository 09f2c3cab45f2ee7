//! A database URL that has been checked, and that does not print its password.

use std::{fmt, path::Path, str::FromStr};

use ::url::Url;

/// Which database a URL points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file on this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// The URL of a SQLite file or of a PostgreSQL server. `Display` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    url: String,
    kind: Kind,
}

/// The text is no URL of a database that Segue can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a database URL: use postgres://user:password@host/name or sqlite:///path/to/file")]
pub struct InvalidUrl;

impl DatabaseUrl {
    /// The URL of a SQLite file, which is made at the first connection.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        // A path is not a URL: `?`, `#` and `%` in it would be read as something else.
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Self { url: format!("sqlite://{path}?mode=rwc"), kind: Kind::Sqlite }
    }

    /// Which database it points to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole URL, password included. Never print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.url
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let separator = if path.contains('?') { '&' } else { '?' };
            let mode = if path.contains("mode=") { String::new() } else { format!("{separator}mode=rwc") };
            return if path.is_empty() {
                Err(InvalidUrl)
            } else {
                Ok(Self { url: format!("{text}{mode}"), kind: Kind::Sqlite })
            };
        }
        let url = Url::parse(text).map_err(|_| InvalidUrl)?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self { url: text.to_owned(), kind: Kind::Postgres }),
            _ => Err(InvalidUrl),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.url) {
            Ok(mut url) if url.password().is_some() => {
                // A URL with a password can have it replaced.
                let _ = url.set_password(Some("***"));
                url.fmt(f)
            }
            _ => f.write_str(&self.url),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_both_kinds_and_nothing_else() {
        assert_eq!("sqlite:///tmp/a.db".parse::<DatabaseUrl>().unwrap().kind(), Kind::Sqlite);
        assert_eq!("postgres://u:p@h/d".parse::<DatabaseUrl>().unwrap().kind(), Kind::Postgres);
        for text in ["mysql://h/d", "a.db", "sqlite://", ""] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(InvalidUrl), "{text:?}");
        }
    }

    #[test]
    fn hides_the_password() {
        let url: DatabaseUrl = "postgres://segue:hunter2@db/segue".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://segue:***@db/segue");
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!(url.expose().contains("hunter2"));
    }
}
