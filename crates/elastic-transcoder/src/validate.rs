//! Checks of requests, with the texts that clients of the service know.
//!
//! First the shape of each member (missing, pattern, length, count): all that is wrong is told at once. Then what
//! contradicts: the first found is told.

mod job;
mod pattern;
mod pipeline;
mod violations;

pub use job::create_job;
pub use pattern::Pattern;
pub use pipeline::create_pipeline;

use crate::{ApiError, ListQuery};
use violations::Violations;

/// Checks an id from the path; `member` is its name in lower camel case.
pub fn id(member: &str, value: &str) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.pattern(member, Some(value), &pattern::ID);
    violations.into_result()
}

/// Checks the status from the path of ListJobsByStatus.
pub fn status(value: &str) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.pattern("status", Some(value), &pattern::JOB_STATUS);
    violations.into_result()
}

/// Checks the query string of a list operation.
pub fn list(query: &ListQuery) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.pattern("ascending", query.ascending.as_deref(), &pattern::TRUE_OR_FALSE);
    violations.pattern("pageToken", query.page_token.as_deref(), &pattern::ID);
    violations.into_result()
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
