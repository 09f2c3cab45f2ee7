//! When a failed delivery is tried again, and when nobody tries any more.

use std::{hash::BuildHasher, time::Duration};

use common::Timestamp;

/// Seconds between one attempt and the next, before jitter: close at first, for a target that restarts, and then ever
/// farther apart. The last one repeats until time is up.
const DELAYS: [u64; 9] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800];
/// How much of a delay is chance: up to so much is taken away, so that many that failed together do not come back so.
const JITTER: f64 = 0.25;

/// How long targets are borne with.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long after its first attempt a delivery is tried.
    pub delivery: Duration,
    /// How long a webhook may fail until it is switched off.
    pub webhook: Duration,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another one, then.
    At(Timestamp),
    /// None.
    GiveUp,
}

/// After the attempt number `round`, counted from 1, that failed `now`, and whose target wants no other one `not_before`
/// then. The last attempt falls on `give_up_at`, whatever the target wants.
#[must_use]
pub fn next(round: i64, now: Timestamp, not_before: Option<Timestamp>, give_up_at: Timestamp) -> Next {
    if now >= give_up_at {
        return Next::GiveUp;
    }
    let due = later(now, delay(round));
    Next::At(not_before.map_or(due, |asked| due.max(asked)).min(give_up_at))
}

fn delay(round: i64) -> Duration {
    let index = usize::try_from(round.saturating_sub(1)).unwrap_or(0).min(DELAYS.len() - 1);
    // RandomState is seeded from the system's randomness: enough to spread retries.
    let chance = std::hash::RandomState::new().hash_one(round) % 1000;
    Duration::from_secs(DELAYS[index]).mul_f64(1.0 - JITTER * chance as f64 / 1000.0)
}

/// A moment later by `time`.
#[must_use]
pub fn later(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// Every attempt of a delivery that always fails at once, as milliseconds since the first.
    fn attempts() -> Vec<i64> {
        let give_up_at = later(START, DAY);
        let (mut now, mut all) = (START, vec![0]);
        while let Next::At(due) = next(all.len() as i64, now, None, give_up_at) {
            now = due;
            all.push(due.as_millis() - START.as_millis());
            assert!(all.len() < 100, "it never ends");
        }
        all
    }

    #[test]
    fn a_target_that_never_answers_is_tried_for_a_day_and_no_longer() {
        for _ in 0..100 {
            let all = attempts();
            assert_eq!(*all.last().unwrap(), DAY.as_millis() as i64, "the last attempt is at its very end");
            assert!((11..=14).contains(&all.len()), "{all:?}");
            let gaps: Vec<i64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
            // The last gap is cut by the end; each other one is within the jitter of its delay.
            for (gap, delay) in gaps[..gaps.len() - 1].iter().zip(DELAYS.iter().chain(std::iter::repeat(&28_800))) {
                let full = *delay as f64 * 1000.0;
                assert!((*gap as f64) <= full && *gap as f64 >= full * 0.74, "{gaps:?}");
            }
        }
    }

    #[test]
    fn jitter_spreads() {
        let first: std::collections::HashSet<_> = (0..50).map(|_| attempts()[6]).collect();
        assert!(first.len() > 25, "{first:?}");
    }

    #[test]
    fn a_long_pause_of_ours_takes_no_attempt_away() {
        let give_up_at = later(START, DAY);
        assert_eq!(
            next(1, later(give_up_at, DAY), None, give_up_at),
            Next::GiveUp,
            "the attempt after the pause was made"
        );
        assert!(matches!(next(i64::MAX, START, None, give_up_at), Next::At(_)));
    }

    #[test]
    fn a_target_may_put_an_attempt_off_but_not_bring_it_forward_or_beyond_the_end() {
        let (give_up_at, hour) = (later(START, DAY), Duration::from_secs(3600));
        let at = |asked| match next(1, START, Some(asked), give_up_at) {
            Next::At(due) => due,
            Next::GiveUp => panic!("it gave up"),
        };
        assert_eq!(at(later(START, hour)), later(START, hour));
        assert_eq!(at(later(START, DAY * 9)), give_up_at);
        assert!(at(START) > START, "the delay of its own still counts");
    }
}
