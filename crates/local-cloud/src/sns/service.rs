//! Messages that another service publishes to a topic, in its own transaction.
//!
//! What is published is only written down there. The signature that envelopes carry takes about a
//! millisecond, and the first of all a new key, which is too long for the one thread that all writes share; so
//! the courier signs and hands out what was written down, right after the commit. A crash in between loses
//! nothing: the row is still there.

use rusqlite::{Connection, params};

use super::{
    Shared, Sns,
    envelope::{Kind, Message},
    error::Error,
    fan_out::fan_out,
    protocol::PerProtocol,
    publication::Publication,
    publish::LARGEST,
    signer::Version,
    topics,
};
use crate::{
    policy::{self, Access},
    store::Transaction,
};

/// Messages that are signed and handed out in one go.
const AT_A_TIME: usize = 16;

/// A message from another service.
pub(crate) struct ServiceMessage<'a> {
    /// The service as a principal, for example `s3.amazonaws.com`.
    pub(crate) service: &'a str,
    /// The bucket, or whatever it is about.
    pub(crate) source_arn: &'a str,
    pub(crate) topic_arn: &'a str,
    pub(crate) subject: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// Why a topic does not take a message. The sender's own work goes on; it is for the log, and for whoever
/// sets up notifications.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the topic does not exist")]
    NoSuchTopic,
    #[error("the topic's policy does not allow it")]
    NotAllowed,
    #[error("the message is too long for a topic")]
    TooLong,
}

/// One that waits to be handed out.
struct Waiting {
    id: i64,
    topic: String,
    version: Version,
    message: Message,
}

impl Sns {
    /// Whether a service may publish to the topic with this ARN, if there is one.
    pub(crate) fn allows_service(
        &self,
        connection: &Connection,
        service: &str,
        source_arn: &str,
        topic_arn: &str,
    ) -> Result<Result<(), Refusal>, Error> {
        let context = self.context();
        let Ok(topic) = context.topic_name(topic_arn) else { return Ok(Err(Refusal::NoSuchTopic)) };
        let Some(attributes) = topics::find(connection, &topic)? else { return Ok(Err(Refusal::NoSuchTopic)) };
        let source_account = &context.account;
        let access = Access { service, source_arn, source_account, action: "sns:publish", resource: topic_arn };
        let policy = attributes.get("Policy").map(String::as_str);
        Ok(if policy::allows(policy, &access) { Ok(()) } else { Err(Refusal::NotAllowed) })
    }

    /// Publishes in the transaction of another service, if the topic is there and its policy allows that.
    /// Once the transaction is committed, all subscriptions get the message, however often this process dies.
    pub(crate) fn publish_from_service(
        &self,
        tx: &mut Transaction<'_>,
        message: &ServiceMessage<'_>,
    ) -> Result<Result<(), Refusal>, Error> {
        if let Err(refusal) = self.allows_service(tx, message.service, message.source_arn, message.topic_arn)? {
            return Ok(Err(refusal));
        }
        if message.body.len() > LARGEST {
            return Ok(Err(Refusal::TooLong));
        }
        let topic = self.context().topic_name(message.topic_arn)?;
        let new = Message::new(Kind::Notification, message.topic_arn.to_owned(), message.body.to_owned());
        let new = Message { subject: message.subject.map(str::to_owned), ..new };
        tx.prepare_cached("INSERT INTO sns_unsent (topic, content) VALUES (?1, ?2)")?
            .execute(params![topic, serde_json::to_string(&new)?])?;
        self.shared.wake_after_commit(tx);
        Ok(Ok(()))
    }

    /// Hands out some of what services have published, and comes again for more.
    pub(super) async fn hand_out_unsent(&self) -> Result<(), Error> {
        let waiting = self.context().store.read(waiting).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        if waiting.len() == AT_A_TIME {
            self.shared.wake.notify_one();
        }
        let mut signed = Vec::with_capacity(waiting.len());
        for Waiting { id, topic, version, message } in waiting {
            let publication = PerProtocol::new(self.sign_one(version, message).await?, [].into());
            signed.push((id, topic, [publication]));
        }
        let shared = self.shared.clone();
        let write = move |tx: &mut Transaction<'_>| {
            signed.iter().try_for_each(|(id, topic, publication)| hand_out(tx, &shared, *id, topic, publication))
        };
        self.context().store.write(write).await
    }
}

fn hand_out(
    tx: &mut Transaction<'_>,
    shared: &Shared,
    id: i64,
    topic: &str,
    publication: &[PerProtocol<Publication>],
) -> Result<(), Error> {
    let taken = tx.prepare_cached("DELETE FROM sns_unsent WHERE id = ?1")?.execute([id])?;
    // It is gone when its topic is.
    if taken == 0 { Ok(()) } else { fan_out(tx, shared, topic, publication) }
}

fn waiting(connection: &Connection) -> Result<Vec<Waiting>, Error> {
    let mut statement = connection.prepare_cached("SELECT id, topic, content FROM sns_unsent ORDER BY id LIMIT ?1")?;
    let rows = statement.query_map([AT_A_TIME as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(i64, String, String)> = rows.collect::<Result<_, _>>()?;
    let waiting = |(id, topic, content): (i64, String, String)| {
        let version = topics::signature_version(connection, &topic)?;
        Ok(Waiting { id, message: serde_json::from_str(&content)?, version, topic })
    };
    rows.into_iter().map(waiting).collect()
}

#[cfg(test)]
mod tests;
