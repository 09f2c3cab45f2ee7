//! Reading the body of a request that is not an object: whole, but no longer than a bound and no
//! slower than a time limit, since it is read before its signature can be checked.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// A message, and a batch of them, has at most 1 MiB (SQS and SNS quotas). Encoded as `\uXXXX` in JSON,
/// or with percent signs in a form, text takes up to three times its size.
pub(crate) const LIMIT: usize = 4 * 1024 * 1024;
/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(30);
/// How long a body that is not wanted may take.
const TIME_TO_DISCARD: Duration = Duration::from_secs(5);

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It will not get shorter.
    #[error("The request body is too large.")]
    TooLarge,
    /// Too slow, or cut off. SDKs try again after a `RequestTimeout`.
    #[error("The request body did not come whole and in time.")]
    Unfinished,
}

/// The whole body, if it has at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    match tokio::time::timeout(TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unreadable::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unreadable::Unfinished),
    }
}

/// Reads a body that nobody wants and keeps nothing of it: a client that is still sending when its connection is
/// closed may never see the answer (RFC 9112, 9.6).
pub(crate) async fn discard(body: Body) {
    let mut pieces = Limited::new(body, LIMIT).into_data_stream();
    let all = async { while let Some(Ok(_)) = pieces.next().await {} };
    // Whether it ends or not, the answer goes out then.
    let _ = tokio::time::timeout(TIME_TO_DISCARD, all).await;
}
