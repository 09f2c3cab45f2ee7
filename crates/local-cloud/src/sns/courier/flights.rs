//! Posts that are under way.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use tokio::task::{Id, JoinSet};

use super::{
    super::deliveries::Delivery,
    Ready,
    post::{self, Clients, Outcome},
};

/// The most posts at one time, and the most to one endpoint.
pub(super) const MOST: usize = 128;
pub(super) const MOST_PER_ENDPOINT: usize = 4;

/// Dropping this breaks all of them off.
#[derive(Default)]
pub(super) struct Flights {
    posts: JoinSet<Outcome>,
    deliveries: HashMap<Id, Delivery>,
    /// Endpoints that are to be left in peace, and until when.
    resting: HashMap<String, Instant>,
    /// Made when there is something to post: most processes never do.
    clients: Option<Clients>,
}

/// Where there is room for more.
pub(super) struct Room {
    ids: HashSet<i64>,
    by_endpoint: HashMap<String, usize>,
    resting: HashSet<String>,
}

impl Flights {
    pub(super) fn room(&mut self) -> Room {
        let now = Instant::now();
        self.resting.retain(|_, until| *until > now);
        let mut by_endpoint = HashMap::new();
        for delivery in self.deliveries.values() {
            *by_endpoint.entry(delivery.endpoint.clone()).or_insert(0) += 1;
        }
        Room {
            ids: self.deliveries.values().map(|delivery| delivery.id).collect(),
            by_endpoint,
            resting: self.resting.keys().cloned().collect(),
        }
    }

    /// How long until the first endpoint that rests has rested.
    pub(super) fn next_rest(&self) -> Option<Duration> {
        let now = Instant::now();
        self.resting.values().map(|until| until.saturating_duration_since(now)).min()
    }

    /// Posts it, within the time that an answer may take.
    pub(super) fn start(&mut self, ready: Ready, answer: Duration) {
        if let Some(rest) = ready.rest {
            self.resting.insert(ready.delivery.endpoint.clone(), Instant::now() + rest);
        }
        let clients = self.clients.get_or_insert_with(|| Clients::new(answer)).clone();
        let post = async move {
            match ready.parcel {
                Ok(parcel) => post::post(&clients, parcel).await,
                Err(reason) => Outcome::Refused(reason),
            }
        };
        let id = self.posts.spawn(post).id();
        self.deliveries.insert(id, ready.delivery);
    }

    /// Waits for the end of one, or for ever when there is none, and takes along what else has ended.
    pub(super) async fn landed(&mut self) -> Vec<(Delivery, Outcome)> {
        let Some(mut result) = self.posts.join_next_with_id().await else { return std::future::pending().await };
        let mut landed = Vec::new();
        loop {
            let (id, outcome) = match result {
                Ok(ended) => ended,
                Err(error) => (error.id(), Outcome::Failed(error.to_string())),
            };
            landed.extend(self.deliveries.remove(&id).map(|delivery| (delivery, outcome)));
            match self.posts.try_join_next_with_id() {
                Some(next) => result = next,
                None => return landed,
            }
        }
    }
}

impl Room {
    pub(super) fn total(&self) -> usize {
        MOST.saturating_sub(self.ids.len())
    }

    pub(super) fn under_way(&self, endpoint: &str) -> usize {
        self.by_endpoint.get(endpoint).copied().unwrap_or(0)
    }

    pub(super) fn places(&self, endpoint: &str) -> usize {
        if self.resting.contains(endpoint) { 0 } else { MOST_PER_ENDPOINT.saturating_sub(self.under_way(endpoint)) }
    }

    pub(super) fn is_new(&self, id: i64) -> bool {
        !self.ids.contains(&id)
    }
}
