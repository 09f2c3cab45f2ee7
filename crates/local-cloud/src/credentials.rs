//! The access keys that may sign requests.

use std::{fmt, fs, io, path::Path, str::FromStr};

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use crate::secret_file;

/// The letters of an access key id: base 32, as AWS makes them (RFC 4648).
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// One access key: the public id and the secret that signs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Named in each request.
    pub id: String,
    /// Never sent; signs each request.
    pub secret: String,
}

/// Text that is not `ID:SECRET`.
#[derive(Debug, thiserror::Error)]
#[error(
    "an access key is written ID:SECRET, with an ID of 3 to 128 letters and digits and a SECRET of at least 8 characters"
)]
pub struct BadAccessKey;

/// The set of keys that are accepted; never empty.
pub(crate) struct Credentials {
    keys: Vec<AccessKey>,
}

impl fmt::Debug for AccessKey {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FromStr for AccessKey {
    type Err = BadAccessKey;

    fn from_str(text: &str) -> Result<Self, BadAccessKey> {
        let (id, secret) = text.split_once(':').ok_or(BadAccessKey)?;
        let id_is_good = (3..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let secret_is_good = (8..=128).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if !id_is_good || !secret_is_good {
            return Err(BadAccessKey);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

impl Credentials {
    /// Uses the given keys; without any, the one in `file`, which is made when it is not there.
    pub(crate) fn open(given: Vec<AccessKey>, file: &Path) -> io::Result<Self> {
        if !given.is_empty() {
            return Ok(Self { keys: given });
        }
        let keys = match fs::read(file) {
            Ok(text) => serde_json::from_slice::<Vec<AccessKey>>(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = vec![new_key()?];
                secret_file::save(&keys, file)?;
                keys
            }
            Err(error) => return Err(error),
        };
        if keys.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file holds no access key"));
        }
        Ok(Self { keys })
    }

    /// All keys, the first of which is the one to show.
    pub(crate) fn keys(&self) -> &[AccessKey] {
        &self.keys
    }

    /// The secret that belongs to an access key id.
    pub(crate) fn secret(&self, id: &str) -> Option<&str> {
        self.keys.iter().find(|key| key.id == id).map(|key| key.secret.as_str())
    }
}

fn new_key() -> io::Result<AccessKey> {
    let mut bytes = [0; 46];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness from the system"))?;
    let (id, secret) = bytes.split_at(16);
    let letters = id.iter().map(|byte| char::from(ID_LETTERS[usize::from(byte % 32)]));
    let id = "LKIA".chars().chain(letters).collect();
    Ok(AccessKey { id, secret: hex::encode(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials.json");
        let first = Credentials::open(vec![], &file).unwrap();
        let second = Credentials::open(vec![], &file).unwrap();
        assert_eq!(first.keys(), second.keys());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.secret(&first.keys()[0].id), Some(first.keys()[0].secret.as_str()));
        assert_eq!(first.secret("another"), None);
    }

    #[test]
    fn given_keys_leave_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials.json");
        let given = Credentials::open(vec!["abc:longsecret".parse().unwrap()], &file).unwrap();
        assert_eq!(given.secret("abc"), Some("longsecret"));
        assert!(!file.exists());
    }

    #[test]
    fn a_bad_key_is_refused() {
        for bad in ["", "abc", ":longsecret", "abc:", "abc:short", "a b:longsecret", "abc:long secret"] {
            assert!(bad.parse::<AccessKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let key: AccessKey = "abc:longsecret".parse().unwrap();
        assert!(!format!("{key:?}").contains("longsecret"));
    }
}
