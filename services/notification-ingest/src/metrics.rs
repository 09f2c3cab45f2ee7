//! What this service measures: events by what became of them, refused posts, and webhook deliveries.
//!
//! Strangers can post here as fast as they like, so the series of that way are made once and then only added to.

use std::sync::LazyLock;

use metrics::{Counter, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::{
    intake::{Outcome, Source},
    store::rejected::Reason,
    webhooks::Attempt,
};

const SOURCES: [Source; 3] = [Source::Http, Source::Sqs, Source::SqsRaw];
const OUTCOMES: [Outcome; 4] = [Outcome::Published, Outcome::Late, Outcome::Foreign, Outcome::Duplicate];
/// What `type` of a refusal ends with. Any other is counted with the last.
const REFUSALS: [&str; 8] = [
    "invalid-topic-arn",
    "bad-signature",
    "bad-request",
    "too-large",
    "unsupported-media-type",
    "timeout",
    "unavailable",
    "other",
];

static EVENTS: LazyLock<[[Counter; OUTCOMES.len()]; SOURCES.len()]> = LazyLock::new(|| {
    SOURCES.map(|source| {
        OUTCOMES.map(
            |outcome| counter!("notification_events_total", "source" => source.as_str(), "outcome" => outcome.as_str()),
        )
    })
});
static REFUSED: LazyLock<[Counter; REFUSALS.len()]> =
    LazyLock::new(|| REFUSALS.map(|reason| counter!("notification_posts_refused_total", "reason" => reason)));

/// Says what is counted here. Each series begins at 0, so that its first step is seen.
pub fn describe() {
    LazyLock::force(&EVENTS);
    LazyLock::force(&REFUSED);
    for outcome in ["delivered", "gone", "refused", "unreachable"] {
        counter!("webhook_attempts_total", "outcome" => outcome).increment(0);
    }
    describe_counter!(
        "notification_events_total",
        Unit::Count,
        "Genuine events, by how they came and what became of them."
    );
    describe_counter!(
        "notification_posts_refused_total",
        Unit::Count,
        "Posts to the endpoint that were refused, by reason."
    );
    describe_counter!(
        "notification_rejected_total",
        Unit::Count,
        "Messages that were kept for the operator, by reason."
    );
    describe_counter!("webhook_attempts_total", Unit::Count, "Posts to webhooks by outcome.");
    describe_histogram!(
        "webhook_attempt_duration_seconds",
        Unit::Seconds,
        "From a post to a webhook to the head of its answer."
    );
    describe_counter!("webhooks_disabled_total", Unit::Count, "Webhooks that were switched off, by reason.");
    sns::describe_metrics();
}

/// An event was taken.
pub fn taken(source: Source, outcome: Outcome) {
    EVENTS[source as usize][outcome as usize].increment(1);
}

/// A post was refused.
pub fn refused(slug: &str) {
    let other = REFUSALS.len() - 1;
    REFUSED[REFUSALS.iter().position(|known| *known == slug).unwrap_or(other)].increment(1);
}

/// A message was kept for the operator.
pub fn rejected(reason: Reason) {
    counter!("notification_rejected_total", "reason" => reason.as_str()).increment(1);
}

/// A webhook was posted to.
pub fn attempted(attempt: &Attempt) {
    let outcome = match attempt.status {
        Some(200..=299) => "delivered",
        Some(410) => "gone",
        Some(_) => "refused",
        None => "unreachable",
    };
    counter!("webhook_attempts_total", "outcome" => outcome).increment(1);
    histogram!("webhook_attempt_duration_seconds").record(attempt.latency);
}

/// A webhook was switched off. Reasons are constants of the code.
pub fn disabled(reason: &'static str) {
    counter!("webhooks_disabled_total", "reason" => reason).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_own_place() {
        assert!(SOURCES.iter().enumerate().all(|(index, source)| *source as usize == index));
        assert!(OUTCOMES.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
    }
}
