//! Ending a subscription (SNS API, Unsubscribe).

use super::{
    Caller, Sns,
    confirmation::Asking,
    deliveries::{self, Recipient},
    error::{Error, kind},
    form::Form,
    subscription::{self, Subscription},
    unsubscribed,
    xml::Answer,
};
use crate::{sqs::now_ms, store::Transaction};

impl Sns {
    /// Taking away what is not there succeeds. Somebody who did not sign, and so may not be the owner, ends it
    /// only unless that takes a signature, and the endpoint is told how to take it back.
    pub(super) async fn unsubscribe(&self, form: &Form, caller: Caller) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        let elements = arn.split(':').count();
        if elements != 7 {
            let reason = format!("SubscriptionArn Reason: An ARN must have at least 6 elements, not {elements}");
            return Err(Error::invalid(reason));
        }
        let found = arn.clone();
        let found = self.context().store.read(move |connection| subscription::find(connection, &found)).await?;
        if let Some(found) = found {
            check(&found, caller)?;
            let tells = caller == Caller::Anonymous && found.protocol.needs_confirmation();
            let asking = if tells { Some(self.ask_to_restore(&found.topic, &found.arn).await?) } else { None };
            let shared = self.shared.clone();
            let end = move |tx: &mut Transaction<'_>| {
                // It may have ended, or been locked, while the farewell was signed.
                let Some(found) = subscription::find(tx, &found.arn)? else { return Ok(()) };
                check(&found, caller)?;
                end(tx, &found, asking.as_ref())?;
                shared.wake_after_commit(tx);
                Ok::<_, Error>(())
            };
            self.context().store.write(end).await?;
            self.shared.forget_warning(&arn);
        }
        Ok(Answer::empty("Unsubscribe"))
    }
}

fn check(found: &Subscription, caller: Caller) -> Result<(), Error> {
    if found.settings.authenticate_on_unsubscribe && caller == Caller::Anonymous {
        return Err(Error::client(kind::AUTHORIZATION, "Unsubscribing takes a signed request here."));
    }
    if found.consent.is_pending {
        let reason = "SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending confirmation";
        return Err(Error::invalid(reason));
    }
    Ok(())
}

fn end(tx: &Transaction<'_>, found: &Subscription, asking: Option<&Asking>) -> Result<(), Error> {
    deliveries::call_off(tx, &found.arn)?;
    if let Some(asking) = asking {
        let publication = deliveries::store(tx, &found.topic, &asking.publication)?;
        deliveries::add(tx, publication, &Recipient { raw: false, ..Recipient::of(found) }, now_ms())?;
    }
    unsubscribed::keep(tx, found, asking.map(|asking| asking.token.as_str()))
}
