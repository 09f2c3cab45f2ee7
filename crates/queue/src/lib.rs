//! Both ends of a queue, so that nothing is lost between a database and SQS.
//!
//! [`Consumer`] receives messages and hands each to a [`Handler`]; [`Outbox`] stores messages in the
//! same transaction as the change that causes them, and relays them to SQS and SNS afterwards.

mod about;
mod backoff;
mod consumer;
mod deleter;
mod depth;
pub mod find;
mod handler;
mod metrics;
mod outbox;
mod relay;

pub use about::{about, about_event};
pub use consumer::{Consumer, Queue, Settings, Stop};
pub use handler::{Failure, Handler, Message};
pub use outbox::{Outbox, Outgoing, Target};
pub use relay::Relay;
