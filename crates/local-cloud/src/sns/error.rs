//! Errors of the SNS API reference.

use crate::{body::Unreadable, space::DiskFull, sqs, store::StoreError};

/// An error code with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(super) code: &'static str,
    pub(super) status: u16,
}

/// The codes that are in use.
pub(super) mod kind {
    use super::Kind;

    const fn own(code: &'static str, status: u16) -> Kind {
        Kind { code, status }
    }

    pub(crate) const AUTHORIZATION: Kind = own("AuthorizationError", 403);
    pub(crate) const BATCH_IDS_NOT_DISTINCT: Kind = own("BatchEntryIdsNotDistinct", 400);
    pub(crate) const BATCH_TOO_LONG: Kind = own("BatchRequestTooLong", 400);
    pub(crate) const EMPTY_BATCH: Kind = own("EmptyBatchRequest", 400);
    pub(crate) const FILTER_POLICY_LIMIT: Kind = own("FilterPolicyLimitExceeded", 403);
    pub(crate) const INVALID_ACTION: Kind = own("InvalidAction", 400);
    pub(crate) const INVALID_BATCH_ID: Kind = own("InvalidBatchEntryId", 400);
    pub(crate) const INVALID_PARAMETER: Kind = own("InvalidParameter", 400);
    pub(crate) const INVALID_PARAMETER_VALUE: Kind = own("ParameterValueInvalid", 400);
    pub(crate) const NOT_FOUND: Kind = own("NotFound", 404);
    pub(crate) const RESOURCE_NOT_FOUND: Kind = own("ResourceNotFound", 404);
    pub(crate) const SUBSCRIPTION_LIMIT: Kind = own("SubscriptionLimitExceeded", 403);
    pub(crate) const TAG_LIMIT: Kind = own("TagLimitExceeded", 400);
    pub(crate) const TIMEOUT: Kind = own("RequestTimeout", 408);
    pub(crate) const TOO_LARGE: Kind = own("RequestEntityTooLarge", 413);
    pub(crate) const TOO_MANY_ENTRIES: Kind = own("TooManyEntriesInBatchRequest", 400);
}

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request is at fault.
    #[error("{message}")]
    Client {
        /// Which error of the API it is.
        kind: Kind,
        /// For people.
        message: String,
    },
    /// The request is not signed by anyone we know.
    #[error(transparent)]
    Signature(#[from] sigv4::Error),
    /// It would grow on a full disk.
    #[error(transparent)]
    Full(#[from] DiskFull),
    /// The store failed; the client sees no cause.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue could not be written to.
    #[error("a queue could not be written to")]
    Queue(#[from] sqs::Error),
    /// The signing key could not be made, read or used.
    #[error("the signing key cannot be used")]
    Signer(#[source] anyhow::Error),
    /// An envelope is wanted, and nobody has signed the message yet; whoever handed it over signs it then.
    #[error("the message is not signed")]
    Unsigned,
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub(super) fn client(kind: Kind, message: impl Into<String>) -> Self {
        Self::Client { kind, message: message.into() }
    }

    /// `InvalidParameter` in the words of AWS.
    pub(super) fn invalid(what: impl std::fmt::Display) -> Self {
        Self::client(kind::INVALID_PARAMETER, format!("Invalid parameter: {what}"))
    }

    pub(super) fn no_such_topic() -> Self {
        Self::client(kind::NOT_FOUND, "Topic does not exist")
    }

    pub(super) fn no_such_subscription() -> Self {
        Self::client(kind::NOT_FOUND, "Subscription does not exist")
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        let kind = match unreadable {
            Unreadable::TooLarge => kind::TOO_LARGE,
            Unreadable::Unfinished => kind::TIMEOUT,
        };
        Self::client(kind, unreadable.to_string())
    }
}
