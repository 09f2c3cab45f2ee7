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

/// For how long the minimum rate is not asked for, at the least: a body may be idle as long as it may.
const PACE_GRACE: Duration = Duration::from_secs(60);

/// How slowly a body may come. The clock runs only while the client is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest time without a byte.
    pub idle: Duration,
    /// After [`PACE_GRACE`], what must have come on average: else a byte now and then holds a place for
    /// ever.
    pub bytes_per_second: u64,
}

impl Pace {
    /// How long a body of which this much has come may have been waited for.
    fn patience(self, received: u64) -> Duration {
        PACE_GRACE.max(self.idle) + Duration::from_secs(received / self.bytes_per_second)
    }
}

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than are taken.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// No byte for too long.
    #[error("the body stopped coming")]
    Idle,
    /// Too few bytes in all the time.
    #[error("the body comes too slowly")]
    Slow,
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
            Self::Slow => error::slow(),
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
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    waited: Duration,
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
    pub fn new(headers: &HeaderMap, body: Body, limit: u64, pace: Pace) -> Self {
        Self {
            body: Some(body.into_data_stream()),
            pace,
            timer: Box::pin(sleep(pace.idle)),
            waiting_since: None,
            waited: Duration::ZERO,
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
                this.waited += this.waiting_since.take().map(|since| since.elapsed()).unwrap_or_default();
                this.paused = true;
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
                let left = this.pace.patience(this.received).saturating_sub(this.waited);
                if this.waiting_since.is_none() {
                    let now = Instant::now();
                    this.waiting_since = Some(now);
                    this.timer.as_mut().reset(now + this.pace.idle.min(left));
                }
                ready!(this.timer.as_mut().poll(context));
                Poll::Ready(Some(Err(if left < this.pace.idle { BodyError::Slow } else { BodyError::Idle })))
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A byte every ten seconds, for ever.
    fn trickle() -> Body {
        let bytes = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        });
        Body::from_stream(bytes)
    }

    async fn end(pace: Pace) -> (Duration, BodyError) {
        let mut source = Source::new(&HeaderMap::new(), trickle(), u64::MAX, pace);
        let start = Instant::now();
        loop {
            if let Err(error) = source.next().await.expect("it never ends by itself") {
                return (start.elapsed(), error);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_ends_soon_after_the_first_minute() {
        let (took, error) = end(Pace { idle: Duration::from_secs(60), bytes_per_second: 1024 }).await;
        assert!(matches!(error, BodyError::Slow), "{error}");
        assert_eq!(took.as_secs(), 60);
        let (_, error) = end(Pace { idle: Duration::from_secs(5), bytes_per_second: 1024 }).await;
        assert!(matches!(error, BodyError::Idle), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_fast_enough_is_waited_for() {
        let pace = Pace { idle: Duration::from_secs(60), bytes_per_second: 1 };
        let (took, _) = end(pace).await;
        // 0.1 bytes a second lose against 1 in the end, after 60 seconds and one for each byte of those.
        assert_eq!(took.as_secs(), 66);
        assert_eq!(pace.patience(3600), Duration::from_secs(3660));
        let patient = Pace { idle: Duration::from_secs(600), bytes_per_second: 1024 };
        assert_eq!(end(patient).await.0.as_secs(), 600);
    }
}
