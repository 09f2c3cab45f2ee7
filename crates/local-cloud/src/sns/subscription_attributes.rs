//! What one subscription is like, and changing it (SNS API, SetSubscriptionAttributes).

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    Sns,
    delivery_policy::{OfSubscription, OfTopic},
    endpoint,
    error::{Error, kind},
    filter::{FilterPolicy, Scope},
    form::Form,
    protocol::Protocol,
    redrive,
    subscription::{self, Subscription},
    topics,
    xml::{self, Answer},
};
use crate::store::Transaction;

/// The most filter policies of one topic (SNS developer guide, "Filter policy constraints").
const MOST_FILTER_POLICIES: i64 = 200;

impl Sns {
    pub(super) async fn get_subscription_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        let read = move |connection: &Connection| {
            let found = subscription::get(connection, &arn)?;
            let policy = topics::delivery_policy(&topics::get(connection, &found.topic)?);
            Ok::<_, Error>((found, policy))
        };
        let (found, topic_policy) = self.context().store.read(read).await?;
        let shown = self.shown(&found, topic_policy)?;
        let pairs = shown.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(Answer::with("GetSubscriptionAttributes", xml::attributes(pairs)))
    }

    pub(super) async fn set_subscription_attributes(&self, form: &Form) -> Result<Answer, Error> {
        let arn = form.require("SubscriptionArn")?.to_owned();
        let name = form.require("AttributeName")?.to_owned();
        let value = form.get("AttributeValue").unwrap_or_default().to_owned();
        let set = move |tx: &mut Transaction<'_>| {
            let mut found = subscription::get(tx, &arn)?;
            if name == "FilterPolicy" && !value.is_empty() && found.attribute("FilterPolicy").is_none() {
                check_filter_policies(tx, &found.topic)?;
            }
            apply(&mut found, &name, &value);
            // The scope says whether the filter policy is a good one, and the other way round.
            let mut changed = BTreeMap::from([(name, value)]);
            for related in ["FilterPolicy", "FilterPolicyScope"] {
                if let Some(value) = found.attribute(related) {
                    changed.entry(related.to_owned()).or_insert(value.to_owned());
                }
            }
            check(found.protocol, &changed).map_err(Error::invalid)?;
            subscription::update(tx, &found)
        };
        self.context().store.write(set).await?;
        Ok(Answer::empty("SetSubscriptionAttributes"))
    }

    fn shown(
        &self,
        subscription: &Subscription,
        topic_policy: OfTopic,
    ) -> Result<BTreeMap<&'static str, String>, Error> {
        let settings = &subscription.settings;
        let context = self.context();
        let mut shown = BTreeMap::from([
            ("SubscriptionArn", subscription.arn.clone()),
            ("TopicArn", context.topic_arn(&subscription.topic)),
            ("Protocol", subscription.protocol.text().to_owned()),
            ("Endpoint", endpoint::shown(&subscription.endpoint)),
            ("Owner", context.account.clone()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{}:root", context.account)),
            ("PendingConfirmation", subscription.consent.is_pending.to_string()),
            ("RawMessageDelivery", subscription.raw.to_string()),
        ]);
        let was_authenticated = settings.was_authenticated || !subscription.protocol.needs_confirmation();
        shown.insert("ConfirmationWasAuthenticated", was_authenticated.to_string());
        for name in ["DeliveryPolicy", "FilterPolicy", "RedrivePolicy"] {
            if let Some(value) = subscription.attribute(name) {
                shown.insert(name, value.to_owned());
            }
        }
        if subscription.attribute("FilterPolicy").is_some() {
            let scope = subscription.attribute("FilterPolicyScope").unwrap_or("MessageAttributes");
            shown.insert("FilterPolicyScope", scope.to_owned());
        }
        if subscription.protocol != Protocol::Sqs {
            let effective = subscription.delivery_policy().effective(topic_policy);
            shown.insert("EffectiveDeliveryPolicy", serde_json::to_string(&effective)?);
        }
        Ok(shown)
    }
}

/// Whether attributes are good ones, together. An empty policy stands for none.
pub(super) fn check(protocol: Protocol, attributes: &BTreeMap<String, String>) -> Result<(), String> {
    let scope = match attributes.get("FilterPolicyScope") {
        None => Scope::default(),
        Some(text) => Scope::parse(text).ok_or_else(|| {
            format!("FilterPolicyScope: Invalid value [{text}]. Please use either MessageBody or MessageAttributes")
        })?,
    };
    for (name, value) in attributes {
        match name.as_str() {
            "RawMessageDelivery" if matches!(value.as_str(), "true" | "false") => {}
            "RawMessageDelivery" => {
                return Err(format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false."));
            }
            "FilterPolicyScope" => {}
            "FilterPolicy" | "RedrivePolicy" | "DeliveryPolicy" if value.is_empty() => {}
            "FilterPolicy" => {
                FilterPolicy::parse(value, scope).map_err(|invalid| invalid.to_string())?;
            }
            "RedrivePolicy" => {
                redrive::target(value)?;
            }
            "DeliveryPolicy" if protocol == Protocol::Sqs => {
                return Err("DeliveryPolicy: only http and https subscriptions have one".to_owned());
            }
            "DeliveryPolicy" => {
                OfSubscription::parse(value)?;
            }
            _ => return Err(format!("AttributeName: {name} is not available here")),
        }
    }
    Ok(())
}

/// Whether a topic can have one more.
pub(super) fn check_filter_policies(connection: &Connection, topic: &str) -> Result<(), Error> {
    if subscription::filter_policies(connection, topic)? < MOST_FILTER_POLICIES {
        return Ok(());
    }
    let message = format!("A topic can have {MOST_FILTER_POLICIES} subscriptions with a filter policy.");
    Err(Error::client(kind::FILTER_POLICY_LIMIT, message))
}

/// Changes an attribute that was, or will be, checked.
pub(super) fn apply(subscription: &mut Subscription, name: &str, value: &str) {
    let attributes = &mut subscription.settings.attributes;
    if name == "RawMessageDelivery" {
        subscription.raw = value == "true";
    } else if value.is_empty() {
        attributes.remove(name);
    } else {
        attributes.insert(name.to_owned(), value.to_owned());
    }
}

/// Whether any of the attributes that are asked for is not as it is asked for.
pub(super) fn differ(existing: &Subscription, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().any(|(name, value)| match name.as_str() {
        "RawMessageDelivery" => existing.raw.to_string() != *value,
        _ => existing.attribute(name).unwrap_or_default() != value,
    })
}
