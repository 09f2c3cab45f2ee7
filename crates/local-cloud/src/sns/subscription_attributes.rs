//! What one subscription is like, and changing it.

use rusqlite::params;

use super::{
    Sns,
    error::Error,
    form::Form,
    subscriptions::{self, raw_delivery},
    xml::{self, Answer},
};
use crate::store::Transaction;

impl Sns {
    pub(super) async fn get_subscription_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        let read = self.context.store.read(move |connection| subscriptions::find(connection, &arn));
        let found = read.await?.ok_or_else(Error::no_such_subscription)?;
        let topic = self.context.topic_arn(&found.topic);
        let shown = [
            ("SubscriptionArn", found.arn.as_str()),
            ("TopicArn", &topic),
            ("Protocol", &found.protocol),
            ("Endpoint", &found.endpoint),
            ("Owner", &self.context.account),
            ("ConfirmationWasAuthenticated", "true"),
            ("PendingConfirmation", "false"),
            ("RawMessageDelivery", if found.raw { "true" } else { "false" }),
        ];
        Ok(Answer::with("GetSubscriptionAttributes", xml::attributes(shown)))
    }

    pub(super) async fn set_subscription_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        let raw = raw_delivery(form.require("AttributeName")?, form.get("AttributeValue").unwrap_or_default())?;
        let set = move |tx: &mut Transaction<'_>| {
            let changed = tx.execute("UPDATE sns_subscriptions SET raw = ?2 WHERE arn = ?1", params![arn, raw])?;
            if changed == 0 { Err(Error::no_such_subscription()) } else { Ok(()) }
        };
        self.context.store.write(set).await?;
        Ok(Answer::empty("SetSubscriptionAttributes"))
    }
}
