//! The name that a user gave a file: shown and downloaded under, never a path.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name that common file systems take, in bytes.
const MAX_BYTES: usize = 255;

/// A file name of 1 to 255 bytes of UTF-8 without path separators or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filename(String);

/// Why a text is no file name. The sentence is meant for the person who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilename {
    /// Nothing, or only white space.
    #[error("the file name is empty")]
    Empty,
    /// More than 255 bytes.
    #[error("the file name is longer than 255 bytes")]
    TooLong,
    /// A slash, a backslash, `.` or `..`.
    #[error("the file name must not contain a path")]
    Path,
    /// NUL, a line break or another control character.
    #[error("the file name contains a control character")]
    Control,
    /// A character that turns the direction of writing: see [`Filename::check_direction`].
    #[error("the file name contains a character that turns the direction of writing")]
    Direction,
}

impl Filename {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses names that look like other ones: `a\u{202E}3pm.exe` shows as `aexe.mp3`. For names that come
    /// from outside; names that are stored already stay readable.
    pub fn check_direction(&self) -> Result<(), InvalidFilename> {
        if self.0.chars().any(turns_direction) { Err(InvalidFilename::Direction) } else { Ok(()) }
    }

    /// The name with its last extension replaced: `song.mp3` as `flac` is `song.flac`.
    #[must_use]
    pub fn with_extension(&self, extension: &str) -> String {
        let stem = match self.0.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => &self.0,
        };
        format!("{stem}.{extension}")
    }
}

impl TryFrom<String> for Filename {
    type Error = InvalidFilename;

    fn try_from(text: String) -> Result<Self, InvalidFilename> {
        if text.trim().is_empty() {
            return Err(InvalidFilename::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(InvalidFilename::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidFilename::Control);
        }
        if text.contains(['/', '\\']) || text == "." || text == ".." {
            return Err(InvalidFilename::Path);
        }
        Ok(Self(text))
    }
}

/// Embeddings, overrides and isolates of the Unicode Bidirectional Algorithm (UAX #9, 2).
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl FromStr for Filename {
    type Err = InvalidFilename;

    fn from_str(text: &str) -> Result<Self, InvalidFilename> {
        text.to_owned().try_into()
    }
}

impl From<Filename> for String {
    fn from(name: Filename) -> Self {
        name.0
    }
}

impl fmt::Display for Filename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_name() {
        let cases = [
            ("  ", InvalidFilename::Empty),
            ("../../etc/passwd", InvalidFilename::Path),
            ("a\\b.mp3", InvalidFilename::Path),
            ("..", InvalidFilename::Path),
            ("a\0.mp3", InvalidFilename::Control),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Filename>(), Err(expected), "{text:?}");
        }
        assert_eq!("x".repeat(300).parse::<Filename>(), Err(InvalidFilename::TooLong));
    }

    #[test]
    fn names_that_look_like_others_are_told() {
        let name: Filename = "a\u{202E}3pm.exe".parse().unwrap();
        assert_eq!(name.check_direction(), Err(InvalidFilename::Direction));
        assert_eq!("שיר.mp3".parse::<Filename>().unwrap().check_direction(), Ok(()));
    }

    #[test]
    fn keeps_letters_of_every_script() {
        let name: Filename = "Jóga – 夜.mp3".parse().unwrap();
        assert_eq!(name.with_extension("wav"), "Jóga – 夜.wav");
        assert_eq!("README".parse::<Filename>().unwrap().with_extension("wav"), "README.wav");
        assert_eq!(".hidden".parse::<Filename>().unwrap().with_extension("wav"), ".hidden.wav");
    }
}
