//! Errors of the API as its clients know them.

use std::fmt;

/// The codes, which SDKs turn into exception types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum ErrorCode {
    Validation,
    IncompatibleVersion,
    AccessDenied,
    ResourceNotFound,
    ResourceInUse,
    LimitExceeded,
    InternalService,
    Throttling,
    IncompleteSignature,
    MissingAuthenticationToken,
    Serialization,
    UnknownOperation,
}

impl ErrorCode {
    /// The name in the `x-amzn-ErrorType` header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validation => "ValidationException",
            Self::IncompatibleVersion => "IncompatibleVersionException",
            Self::AccessDenied => "AccessDeniedException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::ResourceInUse => "ResourceInUseException",
            Self::LimitExceeded => "LimitExceededException",
            Self::InternalService => "InternalServiceException",
            Self::Throttling => "ThrottlingException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::Serialization => "SerializationException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }

    /// The HTTP status of the reply.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Validation | Self::IncompatibleVersion | Self::IncompleteSignature | Self::Serialization => 400,
            Self::AccessDenied | Self::MissingAuthenticationToken => 403,
            Self::ResourceNotFound | Self::UnknownOperation => 404,
            Self::ResourceInUse => 409,
            Self::LimitExceeded | Self::Throttling => 429,
            Self::InternalService => 500,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error reply: its code and the sentence that goes into `{"message": …}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// What kind of error.
    pub code: ErrorCode,
    /// What the client reads.
    pub message: String,
}

impl ApiError {
    /// An error with any code and text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A request that is malformed, out of range or contradicts itself.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Validation, message)
    }

    /// A body that is not JSON of the expected shape.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Serialization, message)
    }

    /// No such pipeline.
    pub fn pipeline_not_found(account: &str, id: &str) -> Self {
        Self::not_found("pipeline", account, id)
    }

    /// No such job.
    pub fn job_not_found(account: &str, id: &str) -> Self {
        Self::not_found("job", account, id)
    }

    /// No such preset.
    pub fn preset_not_found(account: &str, id: &str) -> Self {
        Self::not_found("preset", account, id)
    }

    fn not_found(kind: &str, account: &str, id: &str) -> Self {
        // The service ended the pipeline's sentence with a full stop and the preset's without.
        let end = if kind == "pipeline" { "." } else { "" };
        Self::new(
            ErrorCode::ResourceNotFound,
            format!("The specified {kind} was not found: account={account}, {kind}Id={id}{end}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ids_read_as_the_service_wrote_them() {
        let error = ApiError::preset_not_found("111122223333", "1351620000001-999999");
        assert_eq!(
            error.message,
            "The specified preset was not found: account=111122223333, presetId=1351620000001-999999"
        );
        assert_eq!((error.code.as_str(), error.code.http_status()), ("ResourceNotFoundException", 404));
    }
}
