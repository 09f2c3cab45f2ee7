//! One newtype per identifier, so that a user can never be passed for a file.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct InvalidId {
    kind: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier (UUIDv7): later ones sort after earlier ones, as text too.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Takes the hyphenated form only: one identifier has one spelling.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let id = Uuid::try_parse(text).map_err(|_| InvalidId { kind: $kind })?;
                if id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(InvalidId { kind: $kind }) }
            }
        }
    };
}

uuid_id!(
    /// An uploaded file.
    FileId,
    "file"
);
uuid_id!(
    /// A notice to a user; its JSON calls it a message.
    NoticeId,
    "message"
);
uuid_id!(
    /// An endpoint of a user's own that results are posted to.
    WebhookId,
    "webhook"
);
uuid_id!(
    /// One result on its way to one webhook. Its receiver knows it as `webhook-id`.
    DeliveryId,
    "delivery"
);

/// The user that owns files and notices: the `sub` of a token, opaque to Segue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

/// The longest `sub` that OpenID Connect allows (Core 1.0, section 2: 255 ASCII characters).
const MAX_USER_ID: usize = 255;

impl UserId {
    /// The identifier as the token had it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let fits = !text.is_empty() && text.len() <= MAX_USER_ID && !text.chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(InvalidId { kind: "user" }) }
    }
}

impl FromStr for UserId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.to_owned().try_into()
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = FileId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<FileId>().is_err());
        assert!("../etc/passwd".parse::<FileId>().is_err());
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids: Vec<String> = (0..100).map(|_| NoticeId::generate().to_string()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_user_id_is_bounded_and_printable() {
        assert!("auth0|abc".parse::<UserId>().is_ok());
        assert!("".parse::<UserId>().is_err());
        assert!("a\nb".parse::<UserId>().is_err());
        assert!("x".repeat(256).parse::<UserId>().is_err());
    }
}
