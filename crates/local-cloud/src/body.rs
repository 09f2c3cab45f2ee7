//! Reading the body of a request that is not an object: whole, but no longer than a bound and no
//! slower than a time limit, since it is read before its signature can be checked.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// A message, and a batch of them, has at most 1 MiB (SQS and SNS quotas). Encoded as `\uXXXX` in JSON,
/// or with percent signs in a form, text takes up to three times its size.
const LIMIT: usize = 4 * 1024 * 1024;
/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(30);

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It will not get shorter.
    #[error("The request body is larger than {LIMIT} bytes.")]
    TooLarge,
    /// Too slow, or cut off. SDKs try again after a `RequestTimeout`.
    #[error("The request body did not come whole and in time.")]
    Unfinished,
}

/// The whole body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Unreadable> {
    match tokio::time::timeout(TIME, Limited::new(body, LIMIT).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unreadable::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unreadable::Unfinished),
    }
}
