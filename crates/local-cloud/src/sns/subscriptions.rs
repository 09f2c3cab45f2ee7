//! Making and listing subscriptions.

use std::collections::BTreeMap;

use rusqlite::Connection;
use uuid::Uuid;

use super::{
    Shared, Sns,
    confirmation::Asking,
    deliveries::{self, Recipient},
    endpoint,
    error::{Error, kind},
    form::Form,
    protocol::Protocol,
    subscription::{self, MOST_PER_TOPIC, Settings, Subscription},
    subscription_attributes as attributes,
    topics::{self, PAGE},
    unsubscribed,
    xml::{self, Answer},
};
use crate::{sqs::now_ms, store::Transaction};

/// Who is to get what.
struct Request {
    topic: String,
    protocol: Protocol,
    endpoint: String,
    attributes: BTreeMap<String, String>,
    /// What to send first; a queue is asked nothing.
    asking: Option<Asking>,
}

impl Sns {
    pub(super) async fn subscribe(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context().topic_name(form.require("TopicArn")?)?;
        let protocol = form.require("Protocol")?;
        let protocol = Protocol::parse(protocol).ok_or_else(|| {
            Error::invalid(format!("Protocol Reason: {protocol} is not available here, only sqs, http and https are"))
        })?;
        let endpoint = form.require("Endpoint")?.to_owned();
        endpoint::check(protocol, &endpoint)?;
        let attributes = form.map("Attributes.entry", "key", "value");
        attributes::check(protocol, &attributes)
            .map_err(|reason| Error::invalid(format!("Attributes Reason: {reason}")))?;
        let asking = if protocol.needs_confirmation() { Some(self.ask_to_confirm(&topic).await?) } else { None };
        let arn = format!("{}:{}", self.context().topic_arn(&topic), Uuid::new_v4());
        let request = Request { topic, protocol, endpoint, attributes, asking };
        let shared = self.shared.clone();
        let write = move |tx: &mut Transaction<'_>| subscribe(tx, &shared, request, arn);
        let subscription = self.context().store.write(write).await?;
        let shows_arn = !subscription.consent.is_pending || form.get("ReturnSubscriptionArn") == Some("true");
        let shown = if shows_arn { subscription.arn.as_str() } else { "pending confirmation" };
        Ok(Answer::with("Subscribe", xml::text("SubscriptionArn", shown)))
    }

    pub(super) async fn list_subscriptions(&self, form: &Form) -> Result<Answer, Error> {
        let after = page_start(form)?;
        let read = move |connection: &Connection| subscription::all(connection, after, PAGE as i64 + 1);
        Ok(Answer::with("ListSubscriptions", self.page(self.context().store.read(read).await?)))
    }

    pub(super) async fn list_subscriptions_by_topic(&self, form: &Form) -> Result<Answer, Error> {
        let topic = self.context().topic_name(form.require("TopicArn")?)?;
        let after = page_start(form)?;
        let read = move |connection: &Connection| {
            topics::get(connection, &topic)?;
            subscription::of_topic(connection, &topic, after, PAGE as i64 + 1)
        };
        Ok(Answer::with("ListSubscriptionsByTopic", self.page(self.context().store.read(read).await?)))
    }

    fn page(&self, mut rows: Vec<Subscription>) -> String {
        let has_more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let member = |row: &Subscription| {
            let arn = if row.consent.is_pending { "PendingConfirmation" } else { row.arn.as_str() };
            let fields = [
                xml::text("TopicArn", &self.context().topic_arn(&row.topic)),
                xml::text("Protocol", row.protocol.text()),
                xml::text("SubscriptionArn", arn),
                xml::text("Owner", &self.context().account),
                xml::text("Endpoint", &endpoint::shown(&row.endpoint)),
            ];
            xml::around("member", fields)
        };
        let mut page = xml::around("Subscriptions", rows.iter().map(member));
        if let Some(last) = rows.last().filter(|_| has_more) {
            page += &xml::text("NextToken", &last.id.to_string());
        }
        page
    }
}

/// The same subscription again is the one that is there, unless its attributes are to be others; while it
/// waits for its confirmation, the endpoint is asked once more.
fn subscribe(tx: &mut Transaction<'_>, shared: &Shared, request: Request, arn: String) -> Result<Subscription, Error> {
    topics::get(tx, &request.topic)?;
    let existing = subscription::find_by_endpoint(tx, &request.topic, request.protocol, &request.endpoint)?;
    let (mut current, is_new) = match existing {
        Some(existing) if attributes::differ(&existing, &request.attributes) => {
            return Err(Error::invalid("Attributes Reason: Subscription already exists with different attributes"));
        }
        Some(existing) if !existing.consent.is_pending => return Ok(existing),
        Some(existing) => (existing, false),
        None => (new(tx, &request, arn)?, true),
    };
    if let Some(asking) = request.asking {
        let publication = deliveries::store(tx, &request.topic, &asking.publication)?;
        current.consent = unsubscribed::pending(asking.token);
        // The answer to a confirmation that waits would not be taken any more.
        deliveries::call_off(tx, &current.arn)?;
        deliveries::add(tx, publication, &Recipient { raw: false, ..Recipient::of(&current) }, now_ms())?;
        shared.wake_after_commit(tx);
    }
    if is_new {
        subscription::insert(tx, &current)?;
    } else {
        subscription::update(tx, &current)?;
    }
    Ok(current)
}

fn new(tx: &Transaction<'_>, request: &Request, arn: String) -> Result<Subscription, Error> {
    let count: i64 =
        tx.query_row("SELECT count(*) FROM sns_subscriptions WHERE topic = ?1", [&request.topic], |row| row.get(0))?;
    if count >= MOST_PER_TOPIC {
        let message = format!("A topic can have {MOST_PER_TOPIC} subscriptions here.");
        return Err(Error::client(kind::SUBSCRIPTION_LIMIT, message));
    }
    if request.attributes.get("FilterPolicy").is_some_and(|policy| !policy.is_empty()) {
        attributes::check_filter_policies(tx, &request.topic)?;
    }
    let mut new = Subscription {
        id: 0,
        arn,
        topic: request.topic.clone(),
        protocol: request.protocol,
        endpoint: request.endpoint.clone(),
        raw: false,
        settings: Settings { was_authenticated: !request.protocol.needs_confirmation(), ..Settings::default() },
        consent: subscription::Consent::default(),
    };
    for (name, value) in &request.attributes {
        attributes::apply(&mut new, name, value);
    }
    Ok(new)
}

fn page_start(form: &Form) -> Result<i64, Error> {
    form.get("NextToken").map_or(Ok(0), |token| token.parse().map_err(|_| Error::invalid("NextToken")))
}
