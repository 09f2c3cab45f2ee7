//! Messages that another service puts into a queue, in its own transaction.

use uuid::Uuid;

use super::{
    Sqs,
    error::Error,
    message::{self, Attributes},
    now_ms,
    queue::{self, NewMessage},
    queues, send,
};
use crate::{
    policy::{self, Access},
    store::Transaction,
};

/// A message from another service.
pub(crate) struct Outgoing<'a> {
    /// The service as a principal, for example `sns.amazonaws.com`.
    pub(crate) service: &'a str,
    /// The topic or bucket that it comes from.
    pub(crate) source_arn: &'a str,
    pub(crate) body: &'a str,
    pub(crate) attributes: &'a Attributes,
}

/// Why a queue does not take a message. The sender's own work goes on; it is for the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the queue does not exist")]
    NoSuchQueue,
    #[error("the queue's policy does not allow it")]
    NotAllowed,
    #[error("the queue cannot hold it: {0}")]
    NotAcceptable(String),
}

impl Sqs {
    /// Stores a message in the queue with this ARN, if there is one and its policy allows the
    /// sender, and wakes a waiting poll after the commit.
    pub(crate) fn deliver(
        &self,
        tx: &mut Transaction<'_>,
        queue_arn: &str,
        outgoing: &Outgoing<'_>,
    ) -> Result<Result<(), Refusal>, Error> {
        let Some(name) = self.context.queue_name_in_arn(queue_arn) else { return Ok(Err(Refusal::NoSuchQueue)) };
        let Some(queue) = queue::find(tx, name)? else { return Ok(Err(Refusal::NoSuchQueue)) };
        let access = Access {
            service: outgoing.service,
            source_arn: outgoing.source_arn,
            source_account: &self.context.account,
            action: "sqs:sendmessage",
            resource: queue_arn,
        };
        if !policy::allows(queues::policy(tx, name)?.as_deref(), &access) {
            return Ok(Err(Refusal::NotAllowed));
        }
        if queue.is_fifo() {
            let reason = "a FIFO queue takes no message without a group";
            return Ok(Err(Refusal::NotAcceptable(reason.to_owned())));
        }
        if let Err(error) = check(outgoing, queue.settings.largest) {
            return Ok(Err(Refusal::NotAcceptable(error.to_string())));
        }
        let attributes = match outgoing.attributes {
            none if none.is_empty() => None,
            some => Some(serde_json::to_string(some).map_err(|error| Error::Internal(error.to_string()))?),
        };
        let sent_ms = now_ms();
        let visible_ms = sent_ms + queue.settings.delay * 1000;
        let message = NewMessage {
            id: &Uuid::new_v4().to_string(),
            sender: outgoing.service,
            trace: None,
            attributes: attributes.as_deref(),
            body: outgoing.body,
            group: None,
            deduplication: None,
            sent_ms,
            visible_ms,
        };
        send::enqueue(tx, &queue, &self.waiting, &message)?;
        Ok(Ok(()))
    }
}

/// What a queue would refuse from any sender.
fn check(outgoing: &Outgoing<'_>, largest: i64) -> Result<(), Error> {
    message::check_body(outgoing.body)?;
    message::check_attributes(outgoing.attributes)?;
    message::check_size(message::size(outgoing.body, outgoing.attributes), largest)
}
