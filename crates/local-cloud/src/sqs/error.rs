//! Errors of the SQS API reference, and how the JSON protocol carries them.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{body::Unreadable, space::DiskFull, store::StoreError};

/// An error that a client can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The name of the shape, in `__type`.
    shape: &'static str,
    /// The code of the older query protocol, which SDKs show (header `x-amzn-query-error`).
    pub(crate) code: &'static str,
    status: u16,
}

/// The errors of the SQS API reference, with both their names.
pub(crate) mod kind {
    use super::Kind;

    const fn own(shape: &'static str, code: &'static str, status: u16) -> Kind {
        Kind { shape, code, status }
    }

    pub(crate) const BATCH_IDS_NOT_DISTINCT: Kind =
        own("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400);
    pub(crate) const BATCH_TOO_LONG: Kind =
        own("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400);
    pub(crate) const EMPTY_BATCH: Kind =
        own("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400);
    pub(crate) const INVALID_ATTRIBUTE_NAME: Kind =
        own("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", 400);
    pub(crate) const INVALID_ATTRIBUTE_VALUE: Kind =
        own("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue", 400);
    pub(crate) const INVALID_BATCH_ID: Kind =
        own("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400);
    pub(crate) const INVALID_CONTENTS: Kind =
        own("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents", 400);
    pub(crate) const INVALID_HANDLE: Kind =
        own("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404);
    pub(crate) const INVALID_PARAMETER: Kind =
        own("com.amazonaws.sqs#InvalidParameterValue", "InvalidParameterValue", 400);
    pub(crate) const MISSING_ACTION: Kind = own("com.amazon.coral.service#MissingAction", "MissingAction", 400);
    pub(crate) const MISSING_PARAMETER: Kind = own("com.amazonaws.sqs#MissingParameter", "MissingParameter", 400);
    pub(crate) const NOT_IN_FLIGHT: Kind =
        own("com.amazonaws.sqs#MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400);
    pub(crate) const QUEUE_NAME_EXISTS: Kind = own("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists", 400);
    pub(crate) const NO_SUCH_QUEUE: Kind =
        own("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400);
    pub(crate) const OVER_LIMIT: Kind = own("com.amazonaws.sqs#OverLimit", "OverLimit", 403);
    pub(crate) const PURGE_IN_PROGRESS: Kind =
        own("com.amazonaws.sqs#PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403);
    pub(crate) const REQUEST_TOO_LARGE: Kind =
        own("com.amazon.coral.service#RequestEntityTooLargeException", "RequestEntityTooLarge", 413);
    pub(crate) const REQUEST_TIMEOUT: Kind =
        own("com.amazon.coral.service#RequestTimeoutException", "RequestTimeout", 408);
    pub(crate) const RESOURCE_NOT_FOUND: Kind =
        own("com.amazonaws.sqs#ResourceNotFoundException", "ResourceNotFoundException", 404);
    pub(crate) const SERIALIZATION: Kind =
        own("com.amazon.coral.service#SerializationException", "MalformedInput", 400);
    pub(crate) const TOO_MANY_ENTRIES: Kind = own(
        "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        400,
    );
    pub(crate) const UNKNOWN_OPERATION: Kind =
        own("com.amazon.coral.service#UnknownOperationException", "InvalidAction", 404);
    pub(crate) const UNSUPPORTED: Kind =
        own("com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400);
}

/// Why an operation was not done.
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
    /// The store failed; the client sees no cause.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no room for more.
    #[error(transparent)]
    Full(#[from] DiskFull),
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub(crate) fn client(kind: Kind, message: impl Into<String>) -> Self {
        Self::Client { kind, message: message.into() }
    }

    /// A parameter whose value is out of bounds, in the words of AWS.
    pub(crate) fn parameter(name: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        let message = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
        Self::client(kind::INVALID_PARAMETER, message)
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::client(kind::MISSING_PARAMETER, format!("The request must contain the parameter {name}."))
    }

    pub(crate) fn no_such_queue() -> Self {
        Self::client(kind::NO_SUCH_QUEUE, "The specified queue does not exist.")
    }
}

impl From<Unreadable> for Error {
    fn from(unreadable: Unreadable) -> Self {
        let kind = match unreadable {
            Unreadable::TooLarge => kind::REQUEST_TOO_LARGE,
            Unreadable::Unfinished => kind::REQUEST_TIMEOUT,
        };
        Self::client(kind, unreadable.to_string())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What a client is told of an error, in either protocol.
pub(crate) struct Failure {
    shape: String,
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    /// `Sender` or `Receiver`.
    pub(crate) fault: &'static str,
    pub(crate) message: String,
}

impl Error {
    /// For the answer; a failure of ours is logged here, once.
    pub(crate) fn failure(&self) -> Failure {
        let sender = |shape: String, code, status| Failure {
            shape,
            code,
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            fault: "Sender",
            message: self.to_string(),
        };
        match self {
            Self::Client { kind, .. } => sender(kind.shape.to_owned(), kind.code, kind.status),
            Self::Signature(error) => {
                sender(format!("com.amazon.coral.service#{}", error.json_code()), error.code(), error.status())
            }
            // "Common Errors" in the SQS API reference. SDKs try again.
            Self::Full(_) => Failure {
                shape: "com.amazon.coral.service#ServiceUnavailableException".to_owned(),
                code: "ServiceUnavailable",
                status: StatusCode::SERVICE_UNAVAILABLE,
                fault: "Receiver",
                message: self.to_string(),
            },
            Self::Store(_) | Self::Internal(_) => {
                tracing::error!(error = self as &dyn std::error::Error, "SQS could not do what was asked");
                Failure {
                    shape: "com.amazon.coral.service#InternalFailure".to_owned(),
                    code: "InternalFailure",
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    fault: "Receiver",
                    message: "The request could not be done; try again.".to_owned(),
                }
            }
        }
    }
}

/// The answer over HTTP in the JSON protocol.
pub(crate) fn respond(result: Result<Value, Error>) -> Response {
    let error = match result {
        Ok(value) => return json_response(StatusCode::OK, &value, None),
        Err(error) => error,
    };
    let Failure { shape, code, status, fault, message } = error.failure();
    json_response(status, &json!({ "__type": shape, "message": message }), Some(format!("{code};{fault}")))
}

fn json_response(status: StatusCode, body: &Value, query_error: Option<String>) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    let id = uuid::Uuid::new_v4().to_string();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(value) = query_error.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert("x-amzn-query-error", value);
    }
    response
}
