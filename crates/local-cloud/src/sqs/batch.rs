//! What the batch operations have in common: up to ten entries, each with a result of its own.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::{Error, kind};

/// The most entries (SQS API, SendMessageBatch).
const MOST_ENTRIES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", bound = "T: Deserialize<'de>")]
pub(super) struct Batch<T> {
    pub(super) queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<T> {
    #[serde(default)]
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) rest: T,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outcome<T> {
    successful: Vec<Done<T>>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done<T> {
    id: String,
    #[serde(flatten)]
    result: T,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

/// What fails the batch as a whole.
pub(super) fn check<T>(entries: Vec<Entry<T>>) -> Result<Vec<Entry<T>>, Error> {
    if entries.is_empty() {
        return Err(Error::client(kind::EMPTY_BATCH, "There should be at least one entry in the request."));
    }
    if entries.len() > MOST_ENTRIES {
        let message = format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(Error::client(kind::TOO_MANY_ENTRIES, message));
    }
    let mut seen = HashSet::new();
    for Entry { id, .. } in &entries {
        let is_good = (1..=80).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_good {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
                           It can be at most 80 letters long.";
            return Err(Error::client(kind::INVALID_BATCH_ID, message));
        }
        if !seen.insert(id.as_str()) {
            return Err(Error::client(kind::BATCH_IDS_NOT_DISTINCT, format!("Id {id} repeated.")));
        }
    }
    Ok(entries)
}

/// Does each entry on its own. A failure of ours fails the batch, so that nothing is half stored.
pub(super) fn each<E, T>(
    entries: Vec<(String, E)>,
    mut act: impl FnMut(E) -> Result<T, Error>,
) -> Result<Outcome<T>, Error> {
    let mut outcome = Outcome { successful: Vec::new(), failed: Vec::new() };
    for (id, entry) in entries {
        match act(entry) {
            Ok(result) => outcome.successful.push(Done { id, result }),
            Err(Error::Client { kind, message }) => {
                outcome.failed.push(Failed { id, sender_fault: true, code: kind.code, message });
            }
            Err(other) => return Err(other),
        }
    }
    Ok(outcome)
}
