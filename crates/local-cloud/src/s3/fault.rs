//! What can go wrong in an operation.

use std::io;

use s3s::{S3Error, S3ErrorCode};

use crate::{space::DiskFull, store::StoreError};

/// A client's error, which is answered as it is, or one of ours, which is logged and hidden.
#[derive(Debug)]
pub(super) enum Fault {
    Client(S3Error),
    Store(StoreError),
    Io(io::Error),
    Full(DiskFull),
}

impl From<S3Error> for Fault {
    fn from(error: S3Error) -> Self {
        Self::Client(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        // Out of inodes, or of a user's quota, is full too.
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::Full(DiskFull);
        }
        Self::Io(error)
    }
}

impl From<DiskFull> for Fault {
    fn from(full: DiskFull) -> Self {
        Self::Full(full)
    }
}

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        let cause: &dyn std::error::Error = match &fault {
            Fault::Client(_) | Fault::Full(_) => return fault.into_client(),
            Fault::Store(error) => error,
            Fault::Io(error) => error,
        };
        tracing::error!(cause, "an S3 operation failed");
        Self::with_message(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
    }
}

impl Fault {
    fn into_client(self) -> S3Error {
        match self {
            Self::Client(error) => error,
            Self::Full(full) => S3Error::with_message(S3ErrorCode::ServiceUnavailable, full.to_string()),
            Self::Store(_) | Self::Io(_) => S3ErrorCode::InternalError.into(),
        }
    }
}

/// The outside of a task on a blocking thread; a panic in one is a failure like another.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
