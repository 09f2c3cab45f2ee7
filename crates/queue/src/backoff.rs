//! How long to wait before the next try.

use std::{hash::BuildHasher, time::Duration};

/// `base` doubled with each attempt up to `most`, of which a random part of up to a quarter is
/// taken away, so that many that failed together do not come back together.
pub fn delay(attempt: u32, base: Duration, most: Duration) -> Duration {
    let full = base.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(most);
    // RandomState is seeded from the system's randomness: enough to spread retries.
    let random = std::hash::RandomState::new().hash_one(attempt) % 1000;
    full.mul_f64(1.0 - 0.25 * random as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound() {
        let at = |attempt| delay(attempt, Duration::from_secs(1), Duration::from_secs(60)).as_secs_f64();
        assert!((0.75..=1.0).contains(&at(1)) && (1.5..=2.0).contains(&at(2)));
        assert!((45.0..=60.0).contains(&at(7)) && (45.0..=60.0).contains(&at(u32::MAX)));
    }
}
