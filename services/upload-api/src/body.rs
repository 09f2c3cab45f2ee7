//! A request's body as it arrives: bounded in size and in patience.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use runtime::Problem;
use tokio::{
    runtime::Handle,
    time::{Instant, Sleep, sleep, timeout},
};

use crate::error;

/// How much of a refused body is still read, and for how long, so that its sender gets to read the
/// answer: a connection that is closed on unread bytes is reset, and the answer lost with it.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than are taken.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// No byte for too long.
    #[error("the body stopped coming")]
    Idle,
    /// The connection broke, or the body's framing is wrong.
    #[error("the body was cut off")]
    Broken(#[source] axum::Error),
    /// Fewer bytes than were declared.
    #[error("the body ended before its declared length")]
    Short,
    /// The parts of a form beside the file's content.
    #[error("the form has too much beside the file")]
    Frame,
}

impl BodyError {
    /// As the client sees it.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::TooLarge(limit) => error::too_large(limit),
            Self::Idle => error::idle(),
            Self::Broken(cause) => Problem::bad_request("The body was cut off.").because(cause),
            Self::Short | Self::Frame => Problem::bad_request(error::sentence(&self)),
        }
    }
}

/// How many bytes may still arrive before the reader says otherwise. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// Allows this many bytes from now on.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(bytes) };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// The bytes of a body. What is not read of it is discarded for a moment after it is dropped.
pub struct Source {
    body: Option<BodyDataStream>,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    paused: bool,
    polled: bool,
    received: u64,
    limit: u64,
    declared: Option<u64>,
    expects: bool,
    allowance: Allowance,
}

impl Source {
    /// The body of a request with these headers; no byte is read before the first poll.
    pub fn new(headers: &HeaderMap, body: Body, limit: u64, idle: Duration) -> Self {
        Self {
            body: Some(body.into_data_stream()),
            idle,
            timer: Box::pin(sleep(idle)),
            waiting: false,
            paused: false,
            polled: false,
            received: 0,
            limit,
            declared: declared(headers),
            expects: headers.contains_key(header::EXPECT),
            allowance: Allowance(Arc::new(AtomicU64::new(u64::MAX))),
        }
    }

    /// How long the body is, if the client said so.
    pub const fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// A handle that bounds what arrives next.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// Fails when the declared length alone is over the limit.
    pub fn check_declared(&self) -> Result<(), BodyError> {
        if self.declared.is_some_and(|length| length > self.limit) {
            Err(BodyError::TooLarge(self.limit))
        } else {
            Ok(())
        }
    }

    fn accept(&mut self, chunk: Bytes) -> Result<Bytes, BodyError> {
        let length = chunk.len() as u64;
        self.received += length;
        if self.received > self.limit {
            Err(BodyError::TooLarge(self.limit))
        } else if !self.allowance.take(length) {
            Err(BodyError::Frame)
        } else {
            Ok(chunk)
        }
    }

    fn end(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.body = None;
        self.declared.filter(|length| self.received < *length).map(|_| Err(BodyError::Short))
    }
}

/// The length in the headers. HTTP/1 framing has checked it already.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Stream for Source {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // The form parser reads until nothing is ready and keeps all of it: one chunk at a time
        // bounds what it holds.
        if std::mem::take(&mut this.paused) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.polled = true;
        match body.poll_next_unpin(context) {
            Poll::Ready(next) => {
                (this.waiting, this.paused) = (false, true);
                Poll::Ready(match next {
                    Some(Ok(chunk)) => Some(this.accept(chunk)),
                    Some(Err(error)) => {
                        this.body = None;
                        Some(Err(BodyError::Broken(error)))
                    }
                    None => this.end(),
                })
            }
            Poll::Pending => {
                // The clock runs only while the client is waited for, not while S3 is.
                if !std::mem::replace(&mut this.waiting, true) {
                    this.timer.as_mut().reset(Instant::now() + this.idle);
                }
                ready!(this.timer.as_mut().poll(context));
                Poll::Ready(Some(Err(BodyError::Idle)))
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // A client that waits for "100 Continue" has sent nothing, and reading would ask it to.
        let unread = self.body.take().filter(|_| self.polled || !self.expects);
        if let (Some(body), Ok(runtime)) = (unread, Handle::try_current()) {
            runtime.spawn(timeout(LINGER, discard(body)));
        }
    }
}

async fn discard(mut body: BodyDataStream) {
    let mut bytes = 0;
    while let Some(Ok(chunk)) = body.next().await
        && bytes < LINGER_BYTES
    {
        bytes += chunk.len();
    }
}
