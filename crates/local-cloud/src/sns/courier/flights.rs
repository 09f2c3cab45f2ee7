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
/// The most posts at one time to endpoints that failed last: however many of them never answer, the
/// others have the rest.
const MOST_TROUBLED: usize = MOST / 2;

/// Dropping this breaks all of them off.
#[derive(Default)]
pub(super) struct Flights {
    posts: JoinSet<Outcome>,
    deliveries: HashMap<Id, Delivery>,
    /// Endpoints that are to be left in peace, and until when.
    resting: HashMap<String, Instant>,
    /// When each endpoint had its last turn, as a number that grows.
    turns: HashMap<String, u64>,
    turn: u64,
    /// Endpoints whose last post failed.
    troubled: HashSet<String>,
    /// Made when there is something to post: most processes never do.
    clients: Option<Clients>,
}

/// Where there is room for more.
pub(super) struct Room {
    ids: HashSet<i64>,
    by_endpoint: HashMap<String, usize>,
    resting: HashSet<String>,
    turns: HashMap<String, u64>,
    troubled: HashSet<String>,
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
            turns: self.turns.clone(),
            troubled: self.troubled.clone(),
        }
    }

    /// Forgets all endpoints but these, for which there is something to do.
    pub(super) fn keep(&mut self, endpoints: &HashSet<String>) {
        self.turns.retain(|endpoint, _| endpoints.contains(endpoint));
        self.troubled.retain(|endpoint| endpoints.contains(endpoint));
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
        self.turn += 1;
        self.turns.insert(ready.delivery.endpoint.clone(), self.turn);
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
            if let Some(delivery) = self.deliveries.remove(&id) {
                if matches!(outcome, Outcome::Delivered) {
                    self.troubled.remove(&delivery.endpoint);
                } else {
                    self.troubled.insert(delivery.endpoint.clone());
                }
                landed.push((delivery, outcome));
            }
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

    /// Whose turn is first: those with the least under way, and of these who has waited longest.
    pub(super) fn order(&self, endpoint: &str) -> (usize, u64) {
        (self.under_way(endpoint), self.turns.get(endpoint).copied().unwrap_or(0))
    }

    pub(super) fn is_troubled(&self, endpoint: &str) -> bool {
        self.troubled.contains(endpoint)
    }

    /// How many more posts may go to endpoints that failed last.
    pub(super) fn for_troubled(&self) -> usize {
        let under_way: usize = self.troubled.iter().map(|endpoint| self.under_way(endpoint)).sum();
        MOST_TROUBLED.saturating_sub(under_way)
    }

    fn under_way(&self, endpoint: &str) -> usize {
        self.by_endpoint.get(endpoint).copied().unwrap_or(0)
    }

    pub(super) fn places(&self, endpoint: &str) -> usize {
        if self.resting.contains(endpoint) { 0 } else { MOST_PER_ENDPOINT.saturating_sub(self.under_way(endpoint)) }
    }

    pub(super) fn is_new(&self, id: i64) -> bool {
        !self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that fails without being posted.
    fn broken(id: i64, endpoint: &str) -> Ready {
        Ready { delivery: Delivery::sample(id, endpoint), parcel: Err("broken".to_owned()), rest: None }
    }

    #[tokio::test]
    async fn endpoints_take_turns_and_failing_ones_leave_room() {
        let mut flights = Flights::default();
        for (id, endpoint) in [(1, "http://a/"), (2, "http://b/")] {
            flights.start(broken(id, endpoint), Duration::from_secs(1));
        }
        assert_eq!(flights.room().for_troubled(), MOST_TROUBLED, "nothing is known yet");
        let mut landed = 0;
        while landed < 2 {
            landed += flights.landed().await.len();
        }
        let room = flights.room();
        assert!(room.is_troubled("http://a/") && !room.is_troubled("http://c/"));
        assert!(room.order("http://c/") < room.order("http://a/"), "who had no turn yet comes first");
        assert!(room.order("http://a/") < room.order("http://b/"), "then who has waited longest");
        flights.start(broken(3, "http://a/"), Duration::from_secs(1));
        assert_eq!(flights.room().for_troubled(), MOST_TROUBLED - 1);
        flights.keep(&HashSet::from(["http://b/".to_owned()]));
        let room = flights.room();
        assert!(!room.is_troubled("http://a/") && room.is_troubled("http://b/"));
    }
}
