//! Directories for the files of running jobs, and the removal of what dead processes left.
//!
//! Below the scratch directory each process has a directory of its own and, beside it, a lock file that it holds while
//! it lives. The kernel frees the lock however the process ends, so a lock that can be had marks leftovers.
//!
//! All jobs of a process together may fill so many bytes. How many a job will take is not known before it has taken
//! them, so running jobs are watched, and the youngest that has its share gives way to the others.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;
use uuid::Uuid;

use crate::metrics;

const LOCK: &str = "lock";
/// Held while a process looks for leftovers and makes its own lock, so that two starts do not meet half-way.
const START: &str = "start.lock";

/// How often a running job is measured: a disk takes some hundred MiB in that time.
const PAUSE: Duration = Duration::from_millis(500);
/// What a file's blocks are counted in (stat(2)).
const BLOCK: u64 = 512;

/// This process's part of the scratch directory, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    own: PathBuf,
    lock_path: PathBuf,
    _lock: File,
    most: u64,
    uses: Uses,
}

/// What each running job has, by the order in which they began.
type Uses = Arc<Mutex<BTreeMap<u64, Use>>>;

#[derive(Debug, Default)]
struct Use {
    bytes: u64,
    /// Somebody is there who would stop it.
    is_watched: bool,
}

/// Says that a job is watched, until this is dropped.
struct Watch<'a>(&'a Directory);

/// A job's directory, which only this user may enter. Removed when dropped.
#[derive(Debug)]
pub struct Directory {
    directory: TempDir,
    number: u64,
    uses: Uses,
}

/// Why a job has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Other jobs have the space; later it may have what it needs.
    Crowded,
    /// It needs more than there may be.
    Alone,
}

impl Scratch {
    /// Removes what dead processes left in `parent` and makes a place for this one, for so many bytes.
    pub fn open(parent: &Path, most: u64) -> io::Result<Self> {
        private().recursive(true).create(parent)?;
        let start = File::create(parent.join(START))?;
        flock(&start, FlockOperation::LockExclusive)?;
        sweep(parent)?;
        let name = Uuid::now_v7().to_string();
        let lock_path = parent.join(&name).with_extension(LOCK);
        let lock = File::create_new(&lock_path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let own = parent.join(name);
        private().create(&own)?;
        Ok(Self { own, lock_path, _lock: lock, most, uses: Uses::default() })
    }

    /// A fresh directory for a job.
    pub fn directory(&self) -> io::Result<Directory> {
        let directory = tempfile::Builder::new().prefix("job-").tempdir_in(&self.own)?;
        let mut uses = locked(&self.uses);
        let number = uses.last_key_value().map_or(0, |(last, _)| last + 1);
        uses.insert(number, Use::default());
        Ok(Directory { directory, number, uses: self.uses.clone() })
    }

    /// The bytes that all jobs together may fill.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Watches the directory of a running job, and returns when the job has to stop: it has more than all may have
    /// together, or all have, and of those that have their share this one began last.
    pub async fn outgrown(&self, directory: &Directory) -> io::Result<Full> {
        let _watch = Watch::new(directory);
        loop {
            tokio::time::sleep(PAUSE).await;
            let path = directory.path().to_owned();
            let bytes = tokio::task::spawn_blocking(move || size(&path)).await??;
            if let Some(full) = self.judge(directory.number, bytes) {
                return Ok(full);
            }
        }
    }

    fn judge(&self, number: u64, bytes: u64) -> Option<Full> {
        let mut uses = locked(&self.uses);
        uses.entry(number).or_default().bytes = bytes;
        let all = all(&uses);
        metrics::scratch(all);
        if bytes > self.most {
            return Some(Full::Alone);
        }
        if all <= self.most {
            return None;
        }
        let watched: Vec<_> = uses.iter().rev().filter(|(_, one)| one.is_watched).collect();
        let share = self.most / (watched.len() as u64).max(1);
        let last = watched.iter().find(|(_, one)| one.bytes >= share).or(watched.first());
        last.is_some_and(|(last, _)| **last == number).then_some(Full::Crowded)
    }
}

impl<'a> Watch<'a> {
    fn new(directory: &'a Directory) -> Self {
        let watch = Self(directory);
        watch.set(true);
        watch
    }

    fn set(&self, is_watched: bool) {
        locked(&self.0.uses).entry(self.0.number).or_default().is_watched = is_watched;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl Directory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let mut uses = locked(&self.uses);
        uses.remove(&self.number);
        metrics::scratch(all(&uses));
    }
}

/// The bytes of all jobs, as far as they were measured.
fn all(uses: &BTreeMap<u64, Use>) -> u64 {
    uses.values().map(|one| one.bytes).sum()
}

/// A panic elsewhere leaves numbers that are still right.
fn locked(uses: &Uses) -> MutexGuard<'_, BTreeMap<u64, Use>> {
    uses.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes on disk of the files of a directory.
fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        match entry?.metadata() {
            Ok(metadata) => bytes += metadata.blocks() * BLOCK,
            // It went while it was looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next start.
        let _ = fs::remove_dir_all(&self.own);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// What users send is for nobody else on this machine.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let is_lock = path.extension().is_some_and(|extension| extension == LOCK);
        let owner = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Uuid::try_parse(stem).ok());
        if !is_lock || owner.is_none() {
            continue;
        }
        let lock = File::open(&path)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let leftover = path.with_extension("");
        if leftover.exists() {
            tracing::info!(directory = %leftover.display(), "removing what a process that died left behind");
            stop_strays(&leftover);
            fs::remove_dir_all(&leftover)?;
        }
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// Ends an ffmpeg whose service was killed: it would go on for nobody. It is known by the directory it works in.
#[cfg(target_os = "linux")]
fn stop_strays(leftover: &Path) {
    use rustix::process::{Pid, Signal, kill_process};

    let (Ok(leftover), Ok(processes)) = (leftover.canonicalize(), fs::read_dir("/proc")) else { return };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) else { continue };
        // Processes of other users cannot be looked into, and are not ours.
        let works_there = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&leftover));
        if works_there && let Err(cause) = kill_process(pid, Signal::KILL) {
            tracing::warn!(?pid, %cause, "cannot stop a process of a service that died");
        }
    }
}

/// Elsewhere it ends by itself, within its limits.
#[cfg(not(target_os = "linux"))]
fn stop_strays(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_the_living_stay() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::open(parent.path(), 0).unwrap();
        let kept = living.directory().unwrap();
        let dead = parent.path().join(Uuid::now_v7().to_string());
        fs::create_dir_all(dead.join("job-x")).unwrap();
        fs::write(dead.join("job-x/input"), "x").unwrap();
        File::create(dead.with_extension(LOCK)).unwrap();
        let mut stray = std::process::Command::new("sleep").arg("600").current_dir(&dead).spawn().unwrap();
        fs::write(parent.path().join("note.lock"), "somebody else's").unwrap();

        let next = Scratch::open(parent.path(), 0).unwrap();
        #[cfg(target_os = "linux")]
        assert!(!stray.wait().unwrap().success());
        #[cfg(not(target_os = "linux"))]
        stray.kill().unwrap();
        assert!(!dead.exists() && !dead.with_extension(LOCK).exists());
        assert!(kept.path().exists() && parent.path().join("note.lock").exists());
        drop((kept, living, next));
        let names: Vec<_> = fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
    #[tokio::test(start_paused = true)]
    async fn the_youngest_job_that_has_its_share_gives_way() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(parent.path(), 100_000).unwrap();
        let [old, young, small, unwatched] = std::array::from_fn(|_| scratch.directory().unwrap());
        let write = |directory: &Directory, name: &str, bytes| fs::write(directory.path().join(name), vec![1; bytes]);
        let first = async || {
            tokio::select! {
                biased;
                full = scratch.outgrown(&small) => ("small", full.unwrap()),
                full = scratch.outgrown(&young) => ("young", full.unwrap()),
                full = scratch.outgrown(&old) => ("old", full.unwrap()),
                () = tokio::time::sleep(PAUSE * 5) => ("none", Full::Alone),
            }
        };
        write(&old, "input", 60_000).unwrap();
        write(&small, "input", 1000).unwrap();
        assert_eq!(first().await.0, "none", "there is room for both");
        write(&young, "input", 60_000).unwrap();
        assert_eq!(first().await, ("young", Full::Crowded));
        // Whatever nobody watches does not keep others from being stopped.
        drop((young, unwatched));
        let young = scratch.directory().unwrap();
        assert_eq!(first_of(&scratch, [&old, &small, &young]).await, None);
        write(&old, "output-0", 60_000).unwrap();
        assert_eq!(first_of(&scratch, [&old, &small, &young]).await, Some((0, Full::Alone)));
    }

    async fn first_of(scratch: &Scratch, directories: [&Directory; 3]) -> Option<(usize, Full)> {
        let [a, b, c] = directories.map(|directory| scratch.outgrown(directory));
        tokio::select! {
            full = a => Some((0, full.unwrap())),
            full = b => Some((1, full.unwrap())),
            full = c => Some((2, full.unwrap())),
            () = tokio::time::sleep(PAUSE * 5) => None,
        }
    }
}
