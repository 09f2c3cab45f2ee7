//! Removing files that no row names any more, but not under the hands of a reader.

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use super::files::Files;

/// File lists that wait for the thread which removes them.
const WAITING: usize = 1024;

/// Which object is read.
type Name = (String, String);

pub(super) struct Reclaim {
    files: Arc<Files>,
    names: Mutex<HashMap<Name, Pinned>>,
    removals: SyncSender<Vec<String>>,
}

/// The readers of one object, each with the moment at which it began, and the files that were
/// given up while they read.
#[derive(Default)]
struct Pinned {
    clock: u64,
    readers: BTreeSet<u64>,
    parked: Vec<(u64, Vec<String>)>,
}

/// While this lives, files that the object had when it was made, or later, stay.
pub(super) struct Pin {
    reclaim: Arc<Reclaim>,
    name: Name,
    began: u64,
}

impl Reclaim {
    pub(super) fn start(files: Arc<Files>) -> io::Result<Arc<Self>> {
        let (removals, waiting) = sync_channel::<Vec<String>>(WAITING);
        let directory = files.clone();
        thread::Builder::new()
            .name("s3-reclaim".into())
            .spawn(move || waiting.into_iter().for_each(|ids| remove(&directory, &ids)))?;
        Ok(Arc::new(Self { files, names: Mutex::default(), removals }))
    }

    /// To be called before the object's row is read.
    pub(super) fn pin(self: &Arc<Self>, bucket: &str, key: &str) -> Pin {
        let name = (bucket.to_owned(), key.to_owned());
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let pinned = names.entry(name.clone()).or_default();
        pinned.clock += 1;
        let began = pinned.clock;
        pinned.readers.insert(began);
        drop(names);
        Pin { reclaim: self.clone(), name, began }
    }

    /// To be called after the commit that took the files from the object.
    pub(super) fn retire(&self, bucket: String, key: String, ids: Vec<String>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = names.get_mut(&(bucket, key)) {
            pinned.clock += 1;
            pinned.parked.push((pinned.clock, ids));
            return;
        }
        drop(names);
        self.discard(ids);
    }

    /// Removes files that no reader can have.
    pub(super) fn discard(&self, ids: Vec<String>) {
        if ids.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(ids) | TrySendError::Disconnected(ids)) = self.removals.try_send(ids) {
            remove(&self.files, &ids);
        }
    }

    fn unpin(&self, name: &Name, began: u64) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pinned) = names.get_mut(name) else { return };
        pinned.readers.remove(&began);
        let oldest = pinned.readers.first().copied().unwrap_or(u64::MAX);
        let free: Vec<String> =
            pinned.parked.extract_if(.., |(since, _)| *since < oldest).flat_map(|(_, ids)| ids).collect();
        if pinned.readers.is_empty() {
            names.remove(name);
        }
        drop(names);
        self.discard(free);
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.reclaim.unpin(&self.name, self.began);
    }
}

fn remove(files: &Files, ids: &[String]) {
    for id in ids {
        if let Err(error) = fs::remove_file(files.path(id)) {
            tracing::warn!(%error, id, "a segment file could not be removed; the next start sweeps it");
        }
    }
}
