//! The retry part of a delivery policy: how many, and when.

use serde::{Deserialize, Serialize};

/// The most retries of one delivery.
const MOST_RETRIES: u32 = 100;
/// The longest delay in seconds, and the longest that all delays together may be.
const LONGEST: u32 = 3600;

/// When a failed delivery is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Retries {
    min_delay_target: u32,
    max_delay_target: u32,
    num_retries: u32,
    num_max_delay_retries: u32,
    num_no_delay_retries: u32,
    num_min_delay_retries: u32,
    backoff_function: Backoff,
}

/// How the delay grows from the smallest to the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Arithmetic,
    Exponential,
    Geometric,
    Linear,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

impl Retries {
    /// What is out of bounds; `name` is where the policy stands.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let wrong = |reason: String| Err(format!("DeliveryPolicy: {name}.{reason}"));
        if self.num_retries > MOST_RETRIES {
            return wrong(format!("numRetries must be less than or equal to {MOST_RETRIES}"));
        }
        if self.min_delay_target < 1 {
            return wrong("minDelayTarget must be greater than or equal to 1".to_owned());
        }
        if self.max_delay_target > LONGEST {
            return wrong(format!("maxDelayTarget must be less than or equal to {LONGEST}"));
        }
        if self.min_delay_target > self.max_delay_target {
            return wrong("maxDelayTarget must be greater than or equal to minDelayTarget".to_owned());
        }
        let phases = [self.num_no_delay_retries, self.num_min_delay_retries, self.num_max_delay_retries];
        if phases.iter().fold(0, |sum: u32, count| sum.saturating_add(*count)) > self.num_retries {
            let sum = "numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries";
            return wrong(format!("numRetries must be greater than or equal to the sum of {sum}"));
        }
        if self.total() > f64::from(LONGEST) {
            return wrong(format!("numRetries: all delays together must be less than or equal to {LONGEST} seconds"));
        }
        Ok(())
    }

    /// Seconds to wait after so many failures, of which there is one at least; `None` when that was the
    /// last try.
    pub(super) fn delay(&self, failures: u32) -> Option<f64> {
        (failures <= self.num_retries).then(|| self.before(failures))
    }

    /// Seconds before the retry with this number, counted from one.
    fn before(&self, retry: u32) -> f64 {
        let (least, most) = (f64::from(self.min_delay_target), f64::from(self.max_delay_target));
        let pre_backoff = self.num_no_delay_retries + self.num_min_delay_retries;
        if retry <= self.num_no_delay_retries {
            0.0
        } else if retry <= pre_backoff {
            least
        } else if retry > self.num_retries.saturating_sub(self.num_max_delay_retries) {
            most
        } else {
            let backoff = self.num_retries - self.num_max_delay_retries - pre_backoff;
            self.backoff_function.between(least, most, retry - pre_backoff - 1, backoff - 1)
        }
    }

    fn total(&self) -> f64 {
        (1..=self.num_retries).map(|retry| self.before(retry)).sum()
    }
}

impl Backoff {
    /// The value at `step` of a curve that begins with `least` and ends with `most` at `last`.
    fn between(self, least: f64, most: f64, step: u32, last: u32) -> f64 {
        if last == 0 {
            return least;
        }
        let (step, last) = (f64::from(step), f64::from(last));
        let share = match self {
            Self::Linear => step / last,
            Self::Arithmetic => step * (step + 1.0) / (last * (last + 1.0)),
            Self::Geometric => return least * (most / least).powf(step / last),
            Self::Exponential => (step.exp2() - 1.0) / (last.exp2() - 1.0),
        };
        least + (most - least) * share
    }
}
