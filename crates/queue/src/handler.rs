//! What a consumer's owner writes.

use std::{collections::HashMap, time::Duration};

/// Handles the messages of one queue.
///
/// # Contract
///
/// - **Delivery is at least once, in any order.** The same message may come twice, at the same time
///   even, and an old one after a newer one. `handle` must leave the same state behind either way.
/// - **`Ok` promises that the effect is durable**; only then does the consumer delete the message.
/// - **The consumer keeps the message hidden** while `handle` runs, by extending its visibility timeout.
/// - **A failure decides what comes next** where it happens: see [`Failure`]. A panic counts as
///   [`Failure::Retry`].
/// - `handle` may be dropped at any await when the process must stop; the message is then handed back.
pub trait Handler: Send + Sync + 'static {
    /// Takes one message to its outcome.
    fn handle(&self, message: &Message) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether a message could be handled now. Nothing is received while this is false: an outage of
    /// the handler's database then uses up no receives, of which a message has five.
    fn ready(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// One delivery of a message.
#[derive(Debug, Clone)]
pub struct Message {
    /// SQS's id, the same at each delivery.
    pub id: String,
    /// The body as text.
    pub body: String,
    /// The string attributes that its sender set.
    pub attributes: HashMap<String, String>,
    /// How often it was received, this time included.
    pub receive_count: u32,
}

/// Why a message could not be handled, and so what becomes of it.
#[derive(Debug)]
pub enum Failure {
    /// The cause may pass (a database that is away, a busy service): delivered again after a
    /// delay that grows; after the queue's maximum of receives SQS moves it to the dead letters.
    Retry(anyhow::Error),
    /// As `Retry`, but after this time.
    RetryAfter(Duration, anyhow::Error),
    /// It can never be handled (it cannot be read): moved to the dead letters at once.
    Reject(anyhow::Error),
}

impl Failure {
    /// A rejection with its cause.
    pub fn reject(cause: impl Into<anyhow::Error>) -> Self {
        Self::Reject(cause.into())
    }
}

/// `?` on any error means: try again.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self::Retry(cause.into())
    }
}
