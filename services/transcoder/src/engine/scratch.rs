//! Directories for the files of running jobs, and the removal of what dead processes left.
//!
//! Below the scratch directory each process has a directory of its own and, beside it, a lock file that it holds while
//! it lives. The kernel frees the lock however the process ends, so a lock that can be had marks leftovers.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;
use uuid::Uuid;

const LOCK: &str = "lock";
/// Held while a process looks for leftovers and makes its own lock, so that two starts do not meet half-way.
const START: &str = "start.lock";

/// This process's part of the scratch directory, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    own: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Removes what dead processes left in `parent` and makes a place for this one.
    pub fn open(parent: &Path) -> io::Result<Self> {
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
        Ok(Self { own, lock_path, _lock: lock })
    }

    /// A fresh directory that only this user may enter, removed when dropped.
    pub fn directory(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix("job-").tempdir_in(&self.own)
    }
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
        let living = Scratch::open(parent.path()).unwrap();
        let kept = living.directory().unwrap();
        let dead = parent.path().join(Uuid::now_v7().to_string());
        fs::create_dir_all(dead.join("job-x")).unwrap();
        fs::write(dead.join("job-x/input"), "x").unwrap();
        File::create(dead.with_extension(LOCK)).unwrap();
        let mut stray = std::process::Command::new("sleep").arg("600").current_dir(&dead).spawn().unwrap();
        fs::write(parent.path().join("note.lock"), "somebody else's").unwrap();

        let next = Scratch::open(parent.path()).unwrap();
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
}
