//! Checks of requests, with the texts that clients of the service know.
//!
//! First the shape of each member (missing, pattern, length, count): all that is wrong is told at once. Then what
//! contradicts: the first found is told. Texts of the second kind that no public source shows are our own.

mod job;
mod pattern;
mod pipeline;
mod preset;
mod role;
mod violations;

pub use job::{create_job, outputs_with_presets};
pub use pattern::Pattern;
pub use pipeline::{create_pipeline, update_pipeline, update_pipeline_notifications, update_pipeline_status};
pub use preset::create_preset;
pub use role::test_role;

use crate::{ApiError, ListQuery};
use violations::check;

/// Checks an id from the path; `member` is its name in lower camel case.
pub fn id(member: &str, value: &str) -> Result<(), ApiError> {
    check(|m| m.pattern(member, &Some(value.to_owned()), &pattern::ID))
}

/// Checks the status from the path of ListJobsByStatus.
pub fn status(value: &str) -> Result<(), ApiError> {
    check(|m| m.pattern("status", &Some(value.to_owned()), &pattern::JOB_STATUS))
}

/// Checks the query string of a list operation.
pub fn list(query: &ListQuery) -> Result<(), ApiError> {
    check(|m| {
        m.pattern("ascending", &query.ascending, &pattern::TRUE_OR_FALSE);
        m.pattern("pageToken", &query.page_token, &pattern::ID);
    })
}

/// Fails with a sentence unless the condition holds.
fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), ApiError> {
    if holds { Ok(()) } else { Err(ApiError::validation(sentence())) }
}

/// An even number within bounds, as widths and heights must be, or `auto`.
fn even(member: &str, value: Option<&str>, least: u32, most: u32) -> Result<(), ApiError> {
    let Some(text) = value.filter(|text| *text != "auto") else { return Ok(()) };
    let fits = text.parse().is_ok_and(|number: u32| number.is_multiple_of(2) && (least..=most).contains(&number));
    ensure(fits, || format!("{member} must be an even integer between {least} and {most}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_id_is_shown_with_its_pattern() {
        assert_eq!(
            id("id", "nope").unwrap_err().message,
            r"1 validation error detected: Value 'nope' at 'id' failed to satisfy constraint: Member must satisfy regular expression pattern: ^\d{13}-\w{6}$"
        );
        assert_eq!(id("id", "1700000000000-abc123"), Ok(()));
    }

    #[test]
    fn several_faults_are_told_at_once() {
        let query = ListQuery { ascending: Some("yes".into()), page_token: Some("x".into()) };
        let message = list(&query).unwrap_err().message;
        assert!(message.starts_with("2 validation errors detected: Value 'yes' at 'ascending' failed"), "{message}");
        assert!(message.contains("; Value 'x' at 'pageToken' failed"), "{message}");
        assert_eq!(list(&ListQuery::default()), Ok(()));
    }

    #[test]
    fn states_are_case_sensitive() {
        assert_eq!(status("Complete"), Ok(()));
        assert!(status("complete").is_err());
    }
}
