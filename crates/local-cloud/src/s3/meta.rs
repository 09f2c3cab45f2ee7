//! What is kept beside an object's bytes.

use std::collections::BTreeMap;

use s3s::{
    S3Error,
    dto::{Metadata, Timestamp},
    s3_error,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The type of an object that was put without one (S3 API, PutObject).
const DEFAULT_TYPE: &str = "binary/octet-stream";
/// S3 User Guide, "User-defined object metadata".
const USER_LIMIT: usize = 2048;

/// System and user metadata, as JSON in the object's row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) content_type: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    /// Seconds since 1970.
    pub(super) expires: Option<i64>,
    pub(super) user: BTreeMap<String, String>,
}

/// Makes [`Meta`] of an operation's input; the inputs share their field names.
macro_rules! meta_of {
    ($input:expr) => {
        $crate::s3::meta::Meta {
            content_type: $input.content_type.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take().map(|at| time::OffsetDateTime::from(at).unix_timestamp()),
            user: $input.metadata.take().unwrap_or_default().into_iter().collect(),
        }
        .checked()
    };
}
pub(super) use meta_of;

impl Meta {
    /// Refuses what S3 refuses and drops what is not the object's.
    pub(super) fn checked(mut self) -> Result<Self, S3Error> {
        let size: usize = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > USER_LIMIT {
            return Err(s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size."));
        }
        self.content_encoding = self.content_encoding.as_deref().and_then(without_chunked);
        Ok(self)
    }

    pub(super) fn content_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned())
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.expires.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()).map(Timestamp::from)
    }

    pub(super) fn user(&self) -> Option<Metadata> {
        (!self.user.is_empty()).then(|| self.user.clone().into_iter().collect())
    }
}

/// `aws-chunked` belongs to the transfer and not to the object (S3 API, "Signature calculations").
fn without_chunked(encoding: &str) -> Option<String> {
    let kept: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transfer_coding_is_not_kept() {
        assert_eq!(without_chunked("aws-chunked"), None);
        assert_eq!(without_chunked("gzip, aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(without_chunked("gzip").as_deref(), Some("gzip"));
    }

    #[test]
    fn user_metadata_has_a_limit() {
        let meta = |length| Meta { user: [("k".to_owned(), "v".repeat(length))].into(), ..Meta::default() };
        assert!(meta(USER_LIMIT - 1).checked().is_ok());
        assert!(meta(USER_LIMIT).checked().is_err());
    }
}
