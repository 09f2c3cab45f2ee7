//! Collects what is wrong with the members of a request, in the words of the service's framework.

use super::pattern::Pattern;
use crate::ApiError;

/// Values of clients are quoted in errors; a long one is cut.
const SHOWN_CHARS: usize = 256;

#[derive(Default)]
pub(super) struct Violations(Vec<String>);

impl Violations {
    /// The member must be there.
    pub fn required<T>(&mut self, path: &str, value: Option<&T>) {
        if value.is_none() {
            self.push("null", path, "Member must not be null");
        }
    }

    /// The member, if there, must satisfy the pattern.
    pub fn pattern(&mut self, path: &str, value: Option<&str>, pattern: &Pattern) {
        if let Some(value) = value
            && !pattern.matches(value)
        {
            let constraint = format!("Member must satisfy regular expression pattern: {}", pattern.text());
            self.push(&quoted(value), path, &constraint);
        }
    }

    /// The text, if there, must have so many characters.
    pub fn length(&mut self, path: &str, value: Option<&str>, min: usize, max: usize) {
        if let Some(value) = value {
            self.bounds(path, &quoted(value), value.chars().count(), min, max);
        }
    }

    /// The list, if there, must have so many members at most.
    pub fn count<T>(&mut self, path: &str, list: Option<&Vec<T>>, max: usize) {
        if let Some(list) = list {
            self.bounds(path, &format!("'[{} members]'", list.len()), list.len(), 0, max);
        }
    }

    fn bounds(&mut self, path: &str, shown: &str, length: usize, min: usize, max: usize) {
        if length < min {
            self.push(shown, path, &format!("Member must have length greater than or equal to {min}"));
        } else if length > max {
            self.push(shown, path, &format!("Member must have length less than or equal to {max}"));
        }
    }

    fn push(&mut self, shown: &str, path: &str, constraint: &str) {
        self.0.push(format!("Value {shown} at '{path}' failed to satisfy constraint: {constraint}"));
    }

    pub fn into_result(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (count, plural) = (self.0.len(), if self.0.len() == 1 { "" } else { "s" });
        Err(ApiError::validation(format!("{count} validation error{plural} detected: {}", self.0.join("; "))))
    }
}

fn quoted(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        None => format!("'{value}'"),
        Some((end, _)) => format!("'{}…'", &value[..end]),
    }
}
