//! The background task that makes deliveries over HTTP, and hands out what other services have published.
//!
//! It holds the service only weakly, and posts hold nothing of it, so that a data directory can be closed
//! while an endpoint takes its time. What is then under way is made again by whoever opens the directory next.

mod flights;
mod post;
mod settle;

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::Notify;

use super::{
    Sns,
    deliveries::{self, Delivery},
    delivery_policy::OfSubscription,
    error::Error,
    subscription, topics, unsubscribed,
};
use crate::{Context, sqs::now_ms, store::Transaction};
use flights::{Flights, Room};
use post::{Outcome, Parcel};

/// How long after a failure of the store or the signer it is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How often subscriptions are looked through for those that can be confirmed no more, and the longest sleep.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// How often deliveries are looked through for those that have waited for too long.
const AGE_SWEEP: Duration = Duration::from_secs(60);

/// A delivery that is due, ready to be posted, or why it cannot be.
struct Ready {
    delivery: Delivery,
    parcel: Result<Parcel, String>,
    /// How long its endpoint then is to be left in peace.
    rest: Option<Duration>,
}

/// Runs until the service is gone.
pub(super) async fn run(sns: Weak<Sns>, wake: Arc<Notify>) {
    let mut flights = Flights::default();
    let (mut swept, mut aged) = (None, None);
    loop {
        let Some(service) = sns.upgrade() else { return };
        let round = service.round(&mut flights, &mut swept, &mut aged).await;
        drop(service);
        let pause = round.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "deliveries of topics cannot go on at the moment"
            );
            AFTER_FAILURE
        });
        let landed = tokio::select! {
            () = wake.notified() => Vec::new(),
            () = tokio::time::sleep(pause) => Vec::new(),
            landed = flights.landed() => landed,
        };
        if let Some(service) = sns.upgrade().filter(|_| !landed.is_empty())
            && let Err(error) = service.note(landed).await
        {
            drop(service);
            tracing::error!(error = &error as &dyn std::error::Error, "the end of deliveries could not be noted");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

impl Sns {
    /// Does what is due and says how long there is nothing more to do by itself.
    async fn round(
        &self,
        flights: &mut Flights,
        swept: &mut Option<Instant>,
        aged: &mut Option<Instant>,
    ) -> Result<Duration, Error> {
        if swept.is_none_or(|last| last.elapsed() >= SWEEP) {
            let oldest_ms = self.oldest_token_ms();
            self.context().store.write(move |tx: &mut Transaction<'_>| unsubscribed::sweep(tx, oldest_ms)).await?;
            *swept = Some(Instant::now());
        }
        if aged.is_none_or(|last| last.elapsed() >= AGE_SWEEP) {
            while self.give_up_old().await? {}
            *aged = Some(Instant::now());
        }
        let (room, context, second) = (flights.room(), self.shared.context.clone(), self.shared.times.second);
        let read = move |connection: &Connection| {
            let now = now_ms();
            let mut endpoints = deliveries::endpoints(connection)?;
            endpoints.sort_by_key(|endpoint| room.order(endpoint));
            let ready = ready(connection, &context, &room, &endpoints, second)?;
            let next = deliveries::next_due(connection, now)?;
            Ok::<_, Error>((ready, next.map(|due| due.saturating_sub(now)), HashSet::from_iter(endpoints)))
        };
        let (ready, next_ms, endpoints) = self.context().store.read(read).await?;
        flights.keep(&endpoints);
        for ready in ready {
            flights.start(ready, self.shared.times.answer);
        }
        // Last, so that a key that cannot be read holds up nothing that is signed already.
        self.hand_out_unsent().await?;
        let next = next_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(1)));
        // While anything waits, what has waited for too long is looked for.
        let age = (!endpoints.is_empty()).then_some(AGE_SWEEP);
        Ok([next, flights.next_rest(), age].into_iter().flatten().fold(SWEEP, Duration::min))
    }

    /// Gives up some of what has waited for too long, in a write of its own. True when there may be more.
    async fn give_up_old(&self) -> Result<bool, Error> {
        let shared = self.shared.clone();
        let write = move |tx: &mut Transaction<'_>| settle::give_up_old(tx, &shared, now_ms());
        self.context().store.write(write).await
    }

    /// Writes down what became of deliveries. When that fails they are made again, as they are still due.
    async fn note(&self, landed: Vec<(Delivery, Outcome)>) -> Result<(), Error> {
        let shared = self.shared.clone();
        let write = move |tx: &mut Transaction<'_>| {
            landed.iter().try_for_each(|(delivery, outcome)| settle::settle(tx, &shared, delivery, outcome))
        };
        self.context().store.write(write).await
    }
}

/// As many as there is room for, of the endpoints in their order. Those that fail leave room to the others.
fn ready(
    connection: &Connection,
    context: &Context,
    room: &Room,
    endpoints: &[String],
    second: Duration,
) -> Result<Vec<Ready>, Error> {
    let mut ready = Vec::new();
    let now_ms = now_ms();
    let mut for_troubled = room.for_troubled();
    for endpoint in endpoints {
        let is_troubled = room.is_troubled(endpoint);
        let mut places = room.places(endpoint).min(room.total().saturating_sub(ready.len()));
        if is_troubled {
            places = places.min(for_troubled);
        }
        if places == 0 {
            continue;
        }
        let due = deliveries::due(connection, endpoint, now_ms, flights::MOST_PER_ENDPOINT)?;
        for delivery in due.into_iter().filter(|delivery| room.is_new(delivery.id)) {
            if places == 0 {
                break;
            }
            let one = prepare(connection, context, delivery, second);
            places = if one.rest.is_some() { 0 } else { places - 1 };
            for_troubled = for_troubled.saturating_sub(usize::from(is_troubled));
            ready.push(one);
        }
    }
    Ok(ready)
}

fn prepare(connection: &Connection, context: &Context, delivery: Delivery, second: Duration) -> Ready {
    let parcel = parcel(connection, context, &delivery);
    let (parcel, rest) = match parcel {
        Ok((parcel, policy)) => (Ok(parcel), policy.rest().map(|seconds| second.mul_f64(seconds))),
        // What cannot be read today cannot be read tomorrow; it must not hold up the rest.
        Err(error) => (Err(error.to_string()), None),
    };
    Ready { delivery, parcel, rest }
}

fn parcel(connection: &Connection, context: &Context, delivery: &Delivery) -> Result<(Parcel, OfSubscription), Error> {
    let publication = deliveries::publication(connection, delivery)?;
    let policy = policy(connection, delivery)?;
    let content = publication.content(context, &delivery.subscription, delivery.raw)?;
    let parcel = Parcel {
        url: delivery.endpoint.clone(),
        kind: publication.message.kind.name(),
        message_id: publication.message.id.clone(),
        topic_arn: publication.message.topic_arn.clone(),
        subscription_arn: delivery.subscription.clone(),
        is_raw: delivery.raw,
        content_type: policy.content_type(delivery.raw).to_owned(),
        body: content.body,
    };
    Ok((parcel, policy))
}

/// What holds for a delivery; its subscription may be gone.
fn policy(connection: &Connection, delivery: &Delivery) -> Result<OfSubscription, Error> {
    let own = subscription::find(connection, &delivery.subscription)?;
    let own = own.map(|subscription| subscription.delivery_policy()).unwrap_or_default();
    let topic = topics::find(connection, &delivery.topic)?.unwrap_or_default();
    Ok(own.effective(topics::delivery_policy(&topic)))
}
