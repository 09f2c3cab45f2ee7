//! Confirming subscriptions: an endpoint gets nothing before its owner has sent back a token (SNS API,
//! ConfirmSubscription).

use aws_lc_rs::rand;
use rusqlite::Connection;

use super::{
    Caller, Sns,
    envelope::{Confirmation, Kind, Message},
    error::{Error, kind},
    form::Form,
    publication::Publication,
    subscription, topics, unsubscribed,
    xml::{self, Answer},
};
use crate::{sqs::now_ms, store::Transaction};

/// Random bytes in a token.
const TOKEN_BYTES: usize = 48;

/// A signed message that asks for a confirmation, and the token that gives it.
pub(super) struct Asking {
    pub(super) token: String,
    pub(super) publication: Publication,
}

/// Who confirms, with what.
struct Answering {
    topic: String,
    token: String,
    is_authenticated: bool,
    authenticate_on_unsubscribe: bool,
    /// Tokens that were sent earlier are of no use.
    oldest_ms: i64,
}

impl Sns {
    pub(super) async fn confirm_subscription(&self, form: &Form, caller: Caller) -> Result<Answer, Error> {
        let topic = self.context().topic_name(form.require("TopicArn")?).map_err(|_| Error::invalid("Topic"))?;
        let is_authenticated = caller == Caller::Owner;
        let authenticate_on_unsubscribe = form.get("AuthenticateOnUnsubscribe") == Some("true");
        if authenticate_on_unsubscribe && !is_authenticated {
            return Err(Error::client(kind::AUTHORIZATION, "AuthenticateOnUnsubscribe takes a signed request."));
        }
        let token = form.require("Token")?.to_owned();
        let oldest_ms = self.oldest_token_ms();
        let answering = Answering { topic, token, is_authenticated, authenticate_on_unsubscribe, oldest_ms };
        let arn = self.context().store.write(move |tx: &mut Transaction<'_>| confirm(tx, &answering)).await?;
        Ok(Answer::with("ConfirmSubscription", xml::text("SubscriptionArn", &arn)))
    }

    /// When the oldest token was sent that still is of use.
    pub(super) fn oldest_token_ms(&self) -> i64 {
        now_ms().saturating_sub(i64::try_from(self.shared.times.token.as_millis()).unwrap_or(i64::MAX))
    }

    /// The message that asks a new subscriber.
    pub(super) async fn ask_to_confirm(&self, topic: &str) -> Result<Asking, Error> {
        let arn = self.context().topic_arn(topic);
        let text = format!(
            "You have chosen to subscribe to the topic {arn}.\nTo confirm the subscription, visit the SubscribeURL \
             included in this message."
        );
        self.ask(topic, text, Kind::SubscriptionConfirmation).await
    }

    /// The message that tells a subscriber of the end, and how to go on.
    pub(super) async fn ask_to_restore(&self, topic: &str, subscription: &str) -> Result<Asking, Error> {
        let text = format!(
            "You have chosen to deactivate subscription {subscription}.\nTo cancel this operation and restore the \
             subscription, visit the SubscribeURL included in this message."
        );
        self.ask(topic, text, Kind::UnsubscribeConfirmation).await
    }

    async fn ask(&self, topic: &str, text: String, kind: fn(Confirmation) -> Kind) -> Result<Asking, Error> {
        let name = topic.to_owned();
        let read = move |connection: &Connection| topics::signature_version(connection, &name);
        let version = self.context().store.read(read).await?;
        let (token, arn) = (new_token()?, self.context().topic_arn(topic));
        let endpoint = &self.context().public_endpoint;
        let subscribe_url = format!("{endpoint}/?Action=ConfirmSubscription&TopicArn={arn}&Token={token}");
        let confirmation = Confirmation { token: token.clone(), subscribe_url };
        let publication = self.sign_one(version, Message::new(kind(confirmation), arn, text)).await?;
        Ok(Asking { token, publication })
    }
}

/// Confirming twice is fine.
fn confirm(tx: &Transaction<'_>, answering: &Answering) -> Result<String, Error> {
    let Some(mut found) = subscription::find_by_token(tx, &answering.token)? else {
        return unsubscribed::restore(tx, &answering.topic, &answering.token, answering.oldest_ms);
    };
    if found.topic != answering.topic || found.consent.token_ms < answering.oldest_ms {
        return Err(bad_token());
    }
    if found.consent.is_pending {
        found.consent.is_pending = false;
        found.settings.was_authenticated = answering.is_authenticated;
        found.settings.authenticate_on_unsubscribe = answering.authenticate_on_unsubscribe;
        subscription::update(tx, &found)?;
    }
    Ok(found.arn)
}

pub(super) fn bad_token() -> Error {
    Error::invalid("Token")
}

fn new_token() -> Result<String, Error> {
    let mut bytes = [0; TOKEN_BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::Internal("no randomness from the system".to_owned()))?;
    Ok(hex::encode(bytes))
}
