//! What consumers and relays measure.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use metrics::{
    Counter, Gauge, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

/// How often queues are asked for their depth and outboxes are counted. SQS itself is a minute behind.
pub const PAUSE: Duration = Duration::from_secs(15);

/// What became of a delivery of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is durable, and it goes.
    Done,
    /// It comes again later.
    Retried,
    /// It is among the dead letters.
    Rejected,
    /// The process stops, and hands it back.
    Returned,
}

const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::Done, "done"),
    (Outcome::Retried, "retried"),
    (Outcome::Rejected, "rejected"),
    (Outcome::Returned, "returned"),
];

/// What one consumer measures.
pub struct ConsumerMeters {
    outcomes: [Counter; OUTCOMES.len()],
    seconds: Histogram,
    age: Histogram,
    in_flight: Gauge,
}

impl ConsumerMeters {
    /// Series that bear the queue's name.
    pub fn new(queue_url: &str) -> Self {
        describe_consumer();
        let queue = SharedString::from(name(queue_url).to_owned());
        let of = |(_, outcome): (Outcome, &'static str)| {
            let labels = [("queue", queue.clone()), ("outcome", outcome.into())];
            counter!("queue_messages_total", &labels)
        };
        Self {
            outcomes: OUTCOMES.map(of),
            seconds: histogram!("queue_message_duration_seconds", "queue" => queue.clone()),
            age: histogram!("queue_message_age_seconds", "queue" => queue.clone()),
            in_flight: gauge!("queue_messages_in_flight", "queue" => queue),
        }
    }

    /// A message is taken in hand. `sent` is when it was, in milliseconds since 1970; only the first delivery says how
    /// long messages wait, for later ones were put off.
    pub fn begin(&self, sent: Option<u64>, receive_count: u32) -> InHand<'_> {
        if let (Some(sent), 1) = (sent, receive_count) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.age.record(now.saturating_sub(Duration::from_millis(sent)));
        }
        self.in_flight.increment(1.0);
        InHand { meters: self, start: Instant::now(), outcome: Outcome::Returned }
    }
}

/// A message that is handled; counted when this is dropped.
pub struct InHand<'a> {
    meters: &'a ConsumerMeters,
    start: Instant,
    outcome: Outcome,
}

impl InHand<'_> {
    /// What became of it. When nothing is said, it was handed back.
    pub fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.meters.in_flight.decrement(1.0);
        self.meters.seconds.record(self.start.elapsed());
        self.meters.outcomes[self.outcome as usize].increment(1);
    }
}

/// What one relay measures.
pub struct RelayMeters {
    /// Messages that were sent.
    pub sent: Counter,
    /// Tries that failed.
    pub failed: Counter,
    /// Rows that wait.
    pub rows: Gauge,
    /// The age of the oldest.
    pub oldest: Gauge,
}

impl RelayMeters {
    /// Series that bear the name of the service whose outbox it is.
    pub fn new(service: &'static str) -> Self {
        describe_relay();
        let outcome =
            |outcome: &'static str| counter!("outbox_messages_total", "service" => service, "outcome" => outcome);
        Self {
            sent: outcome("sent"),
            failed: outcome("failed"),
            rows: gauge!("outbox_rows", "service" => service),
            oldest: gauge!("outbox_oldest_age_seconds", "service" => service),
        }
    }
}

/// Sets how many messages of a queue are in one state.
pub fn depth(queue_url: &str, state: &'static str, messages: f64) {
    let labels = [("queue", SharedString::from(name(queue_url).to_owned())), ("state", state.into())];
    gauge!("queue_depth", &labels).set(messages);
}

/// A queue's URL ends with its name.
pub fn name(queue_url: &str) -> &str {
    queue_url.rsplit('/').next().unwrap_or_default()
}

fn describe_consumer() {
    describe_counter!(
        "queue_messages_total",
        Unit::Count,
        "Deliveries of messages that were handled, by queue and outcome."
    );
    describe_histogram!("queue_message_duration_seconds", Unit::Seconds, "How long a delivery was handled.");
    describe_histogram!(
        "queue_message_age_seconds",
        Unit::Seconds,
        "How long a message had waited in its queue when it was first received."
    );
    describe_gauge!("queue_messages_in_flight", Unit::Count, "Messages that this process handles now.");
    describe_gauge!("queue_depth", Unit::Count, "Messages of a queue by state, as SQS approximately knows them.");
}

fn describe_relay() {
    describe_counter!("outbox_messages_total", Unit::Count, "Messages of the outbox by what came of sending them.");
    describe_gauge!("outbox_rows", Unit::Count, "Messages of the outbox that are not sent, counted up to 10,000.");
    describe_gauge!(
        "outbox_oldest_age_seconds",
        Unit::Seconds,
        "How long the oldest message of the outbox has waited; 0 if none does."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_place() {
        assert!(OUTCOMES.iter().enumerate().all(|(index, (outcome, _))| *outcome as usize == index));
    }

    #[test]
    fn a_queue_is_known_by_its_name() {
        assert_eq!(name("http://127.0.0.1:4566/000000000000/segue-results-uploads"), "segue-results-uploads");
    }
}
