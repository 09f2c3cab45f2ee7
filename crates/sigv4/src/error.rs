//! Why a request is refused, in the words and codes of AWS.

/// Why a signature was not accepted.
///
/// [`Error::code`] and [`Error::status`] are those of "Common Errors" in the AWS API references.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no signature at all.
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// The signature lacks a part, or a part is malformed.
    #[error("{0}")]
    IncompleteSignature(&'static str),
    /// The access key id is not known.
    #[error("The security token included in the request is invalid.")]
    InvalidClientTokenId,
    /// A session token came along; only long-term keys are known here.
    #[error("Session tokens are not accepted here: use an access key without one (unset AWS_SESSION_TOKEN).")]
    SessionToken,
    /// The signature is for another service, or for another day than the request.
    #[error("Credential should be scoped to {0}.")]
    Scope(String),
    /// The signature is not the one that the secret makes over this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. \
         Check your AWS Secret Access Key and signing method."
    )]
    SignatureDoesNotMatch,
    /// The body is not the one that was signed.
    #[error("The body does not match the signed x-amz-content-sha256.")]
    BodyDoesNotMatch,
    /// The signature is too old.
    #[error("Signature expired: {signed} is now earlier than {limit}.")]
    Expired {
        /// The time in the request.
        signed: String,
        /// The earliest time that is still accepted.
        limit: String,
    },
    /// The signature is from the future.
    #[error("Signature not yet current: {signed} is still later than {limit}.")]
    NotYetCurrent {
        /// The time in the request.
        signed: String,
        /// The latest time that is accepted.
        limit: String,
    },
}

impl Error {
    /// The error code of the query protocol, without a suffix.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::InvalidClientTokenId | Self::SessionToken => "InvalidClientTokenId",
            Self::Scope(_) | Self::SignatureDoesNotMatch | Self::BodyDoesNotMatch => "SignatureDoesNotMatch",
            Self::Expired { .. } | Self::NotYetCurrent { .. } => "RequestExpired",
        }
    }

    /// The exception name that AWS services with a JSON protocol use for the same thing.
    pub fn json_code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::IncompleteSignature(_) => "IncompleteSignatureException",
            Self::InvalidClientTokenId | Self::SessionToken => "UnrecognizedClientException",
            Self::Scope(_)
            | Self::SignatureDoesNotMatch
            | Self::BodyDoesNotMatch
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. } => "InvalidSignatureException",
        }
    }

    /// The HTTP status that goes with [`Error::code`].
    pub fn status(&self) -> u16 {
        match self {
            Self::IncompleteSignature(_) | Self::Expired { .. } | Self::NotYetCurrent { .. } => 400,
            _ => 403,
        }
    }
}
