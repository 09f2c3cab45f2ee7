//! Reading the body of a request that is not an object: whole, but no longer than a bound and no
//! slower than a time limit, since it is read before its signature can be checked.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, Limited};

/// A message, and a batch of them, has at most 1 MiB (SQS and SNS quotas). Encoded as `\uXXXX` in JSON,
/// or with percent signs in a form, text takes up to three times its size.
const LIMIT: usize = 4 * 1024 * 1024;
/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(30);

/// The body is too long, too slow, or was cut off.
pub(crate) struct Unreadable;

impl Unreadable {
    /// What the client is told.
    pub(crate) const MESSAGE: &str = "The request body is too large, too slow, or was cut off.";
}

/// The whole body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Unreadable> {
    let read = tokio::time::timeout(TIME, Limited::new(body, LIMIT).collect()).await;
    read.map_err(|_| Unreadable)?.map(|body| body.to_bytes()).map_err(|_| Unreadable)
}
