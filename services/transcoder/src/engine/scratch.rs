//! Directories for the files of running jobs, and the removal of what dead processes left.
//!
//! Below the scratch directory each process has a directory of its own and, beside it, a lock file that it holds while
//! it lives. The kernel frees the lock however the process ends, so a lock that can be had marks leftovers.
//!
//! All jobs of a process together may fill so many bytes. How many a job will take is not known before it has taken
//! them, so running jobs are watched, and the youngest gives way to the others.

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

/// The bytes of each running job, by the order in which they began.
type Uses = Arc<Mutex<BTreeMap<u64, u64>>>;

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
        uses.insert(number, 0);
        Ok(Directory { directory, number, uses: self.uses.clone() })
    }

    /// The bytes that all jobs together may fill.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Watches the directory of a running job, and returns when the job has to stop: all jobs together have more than
    /// they may, and this one began last.
    pub async fn outgrown(&self, directory: &Directory) -> io::Result<Full> {
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
        uses.insert(number, bytes);
        let is_last = uses.last_key_value().is_some_and(|(last, _)| *last == number);
        if !is_last || uses.values().sum::<u64>() <= self.most {
            return None;
        }
        Some(if bytes > self.most || uses.len() == 1 { Full::Alone } else { Full::Crowded })
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
        locked(&self.uses).remove(&self.number);
    }
}

/// A panic elsewhere leaves numbers that are still right.
fn locked(uses: &Uses) -> MutexGuard<'_, BTreeMap<u64, u64>> {
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
    async fn the_youngest_job_gives_way() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::open(parent.path(), 100_000).unwrap();
        let (old, young) = (scratch.directory().unwrap(), scratch.directory().unwrap());
        fs::write(old.path().join("input"), [1; 60_000]).unwrap();
        let watch_old = async { tokio::time::timeout(PAUSE * 5, scratch.outgrown(&old)).await };
        assert!(watch_old.await.is_err(), "there is room for it");
        fs::write(young.path().join("input"), [1; 60_000]).unwrap();
        assert_eq!(scratch.outgrown(&young).await.unwrap(), Full::Crowded);
        let watch_old = async { tokio::time::timeout(PAUSE * 5, scratch.outgrown(&old)).await };
        assert!(watch_old.await.is_err(), "the older one goes on");
        drop(young);
        fs::write(old.path().join("output-0"), [1; 60_000]).unwrap();
        assert_eq!(scratch.outgrown(&old).await.unwrap(), Full::Alone);
        let next = scratch.directory().unwrap();
        fs::write(next.path().join("input"), [1; 120_000]).unwrap();
        assert_eq!(scratch.outgrown(&next).await.unwrap(), Full::Alone);
    }
}
