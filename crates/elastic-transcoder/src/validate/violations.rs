//! Collects what is wrong with the members of a request, in the words of the service's framework.

use super::pattern::Pattern;
use crate::ApiError;

/// Values of clients are quoted in errors; a long one is cut.
const SHOWN_CHARS: usize = 256;

/// Looks at the members of a request, and tells all that is wrong with them at once.
pub(super) fn check(look: impl FnOnce(&mut Members<'_>)) -> Result<(), ApiError> {
    let mut found = Vec::new();
    look(&mut Members { found: &mut found, path: String::new() });
    if found.is_empty() {
        return Ok(());
    }
    let (count, plural) = (found.len(), if found.len() == 1 { "" } else { "s" });
    Err(ApiError::validation(format!("{count} validation error{plural} detected: {}", found.join("; "))))
}

/// The members of one structure of the request.
pub(super) struct Members<'a> {
    found: &'a mut Vec<String>,
    /// Where the structure lies, ending with a dot: `outputs.2.member.`, or nothing.
    path: String,
}

impl Members<'_> {
    /// The member must be there.
    pub fn required<T>(&mut self, name: &str, value: &Option<T>) {
        if value.is_none() {
            self.push("null", name, "Member must not be null");
        }
    }

    /// The member, if there, must satisfy the pattern.
    pub fn pattern(&mut self, name: &str, value: &Option<String>, pattern: &Pattern) {
        if let Some(value) = value
            && !pattern.matches(value)
        {
            let constraint = format!("Member must satisfy regular expression pattern: {}", pattern.text());
            self.push(&quoted(value), name, &constraint);
        }
    }

    /// Every text of the list must satisfy the pattern.
    pub fn patterns(&mut self, name: &str, list: &Option<Vec<String>>, pattern: &Pattern) {
        for (index, value) in list.iter().flatten().enumerate() {
            self.pattern(&nth(name, index), &Some(value.clone()), pattern);
        }
    }

    /// The text, if there, must have so many characters.
    pub fn length(&mut self, name: &str, value: &Option<String>, min: usize, max: usize) {
        if let Some(value) = value {
            self.bounds(name, &quoted(value), value.chars().count(), min, max);
        }
    }

    /// Every text of the list must have so many characters.
    pub fn lengths(&mut self, name: &str, list: &Option<Vec<String>>, min: usize, max: usize) {
        for (index, value) in list.iter().flatten().enumerate() {
            self.length(&nth(name, index), &Some(value.clone()), min, max);
        }
    }

    /// The list, if there, must have so many members at most.
    pub fn count<T>(&mut self, name: &str, list: &Option<Vec<T>>, max: usize) {
        if let Some(list) = list {
            self.size(name, list.len(), max);
        }
    }

    /// A list or map, of which only its size is known here, must have so many members at most.
    pub fn size(&mut self, name: &str, size: usize, max: usize) {
        self.bounds(name, &format!("'[{size} members]'"), size, 0, max);
    }

    /// The structure, if there, is looked at in turn.
    pub fn within<T>(&mut self, name: &str, value: &Option<T>, look: fn(&mut Members<'_>, &T)) {
        if let Some(value) = value {
            let path = format!("{}{name}.", self.path);
            look(&mut Members { found: self.found, path }, value);
        }
    }

    /// Every structure of the list is looked at in turn.
    pub fn each<T>(&mut self, name: &str, list: &Option<Vec<T>>, look: fn(&mut Members<'_>, &T)) {
        for (index, value) in list.iter().flatten().enumerate() {
            let path = format!("{}{}.", self.path, nth(name, index));
            look(&mut Members { found: self.found, path }, value);
        }
    }

    fn bounds(&mut self, name: &str, shown: &str, length: usize, min: usize, max: usize) {
        if length < min {
            self.push(shown, name, &format!("Member must have length greater than or equal to {min}"));
        } else if length > max {
            self.push(shown, name, &format!("Member must have length less than or equal to {max}"));
        }
    }

    fn push(&mut self, shown: &str, name: &str, constraint: &str) {
        let path = &self.path;
        self.found.push(format!("Value {shown} at '{path}{name}' failed to satisfy constraint: {constraint}"));
    }
}

/// The framework counts from one.
fn nth(name: &str, index: usize) -> String {
    format!("{name}.{}.member", index + 1)
}

fn quoted(value: &str) -> String {
    match value.char_indices().nth(SHOWN_CHARS) {
        None => format!("'{value}'"),
        Some((end, _)) => format!("'{}…'", &value[..end]),
    }
}
