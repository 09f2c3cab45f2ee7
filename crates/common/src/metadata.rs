//! What travels with a job as `UserMetadata` and comes back in its notification.
//!
//! Elastic Transcoder allows 10 pairs, keys of 1 to 128 and values of up to 256 characters, out of
//! `0-9A-Za-z`, space and `_.:/=+-%@` (Developer Guide, limits). Users and file names fit neither the
//! alphabet nor the length, so values are percent-encoded and long ones continue under `key.1`, `key.2` …

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{FileId, Filename, UserId};

/// The longest value of one pair.
const MAX_VALUE: usize = 256;
/// A value of 255 bytes, encoded as three characters each, needs no more pairs than this.
const MAX_CHUNKS: usize = 3;
/// What a user or a name is spelled with where the alphabet is narrow; the rest is percent-encoded.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');

/// Whose job it is, and for which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobMetadata {
    /// The file that the job transcodes.
    pub file_id: FileId,
    /// The user who is told of it.
    pub owner: UserId,
    /// What the user called the file.
    pub filename: Filename,
}

/// The metadata of a job is not Segue's: a pair is missing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job metadata: {0:?} is missing or malformed")]
pub struct InvalidMetadata(&'static str);

impl JobMetadata {
    /// The pairs to send with the job.
    #[must_use]
    pub fn to_pairs(&self) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::from([("file_id".to_owned(), self.file_id.to_string())]);
        write(&mut pairs, "owner", self.owner.as_str());
        write(&mut pairs, "filename", self.filename.as_str());
        pairs
    }

    /// Reads the pairs that came back. Pairs that are not Segue's are ignored.
    pub fn from_pairs(pairs: &BTreeMap<String, String>) -> Result<Self, InvalidMetadata> {
        let file_id = pairs.get("file_id").and_then(|id| id.parse().ok()).ok_or(InvalidMetadata("file_id"))?;
        let owner = read(pairs, "owner").and_then(|owner| owner.try_into().ok()).ok_or(InvalidMetadata("owner"))?;
        let filename =
            read(pairs, "filename").and_then(|name| name.try_into().ok()).ok_or(InvalidMetadata("filename"))?;
        Ok(Self { file_id, owner, filename })
    }
}

fn chunk_key(key: &str, index: usize) -> String {
    if index == 0 { key.to_owned() } else { format!("{key}.{index}") }
}

fn write(pairs: &mut BTreeMap<String, String>, key: &str, value: &str) {
    let encoded = utf8_percent_encode(value, ENCODED).to_string();
    // The encoded text is ASCII, so that every chunk is text again.
    for (index, chunk) in encoded.as_bytes().chunks(MAX_VALUE).enumerate() {
        pairs.insert(chunk_key(key, index), String::from_utf8_lossy(chunk).into_owned());
    }
}

fn read(pairs: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let encoded: String = (0..MAX_CHUNKS).map_while(|index| pairs.get(&chunk_key(key, index)).cloned()).collect();
    percent_decode_str(&encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(owner: &str, filename: &str) {
        let metadata = JobMetadata {
            file_id: FileId::generate(),
            owner: owner.parse().unwrap(),
            filename: filename.parse().unwrap(),
        };
        let pairs = metadata.to_pairs();
        assert!(pairs.len() <= 10);
        let allowed = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-%@".contains(c);
        assert!(pairs.iter().all(|(k, v)| k.len() <= 128 && v.len() <= 256 && v.chars().all(allowed)), "{pairs:?}");
        assert_eq!(JobMetadata::from_pairs(&pairs), Ok(metadata));
    }

    #[test]
    fn any_owner_and_name_come_back_as_they_were() {
        round_trip("alice", "song.mp3");
        round_trip("auth0|5f7c8ec7c33c6c004bbafe82", "a = 100% + \"b\" – Jóga.mp3");
        round_trip(&"|".repeat(255), &"夜".repeat(85));
    }

    #[test]
    fn foreign_metadata_is_refused() {
        assert_eq!(JobMetadata::from_pairs(&BTreeMap::new()), Err(InvalidMetadata("file_id")));
    }
}
