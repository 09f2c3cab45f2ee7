//! Numbers as policies compare them.

use serde_json::Value;

/// Digits after the decimal point that count, as a factor (SNS developer guide, "Filter policy
/// constraints").
const ACCURACY: f64 = 1e5;
/// The largest number, in both directions (same page).
const LARGEST: f64 = 1e9;

/// A number in hundred-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fixed(i64);

impl Fixed {
    /// `None` for what is no number, or one that is out of bounds.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let number = value.as_f64().filter(|number| number.abs() <= LARGEST)?;
        // Within bounds: at most 1e14.
        Some(Self((number * ACCURACY).round() as i64))
    }
}
