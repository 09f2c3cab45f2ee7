//! Room on the disk: what would grow is refused while little is left, so that what frees it still works.
//!
//! SQLite writes before it frees: on a disk without a byte left nothing can be deleted. So some room is left alone
//! (the floor), and more is held in a file of its own (the reserve), in case another program takes the rest.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// What is held back where there is a floor, in bytes: room for the log of SQLite between two checkpoints, and for its index.
const RESERVE: u64 = 32 * 1024 * 1024;
/// How long a look at the disk counts. At a gigabyte a second ten megabytes come in meanwhile.
const FRESH: Duration = Duration::from_millis(10);
/// How long after a reserve could not be made that is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Too little room is left on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The disk is full: delete something, or make room, and try again.")]
pub(crate) struct DiskFull;

/// The room on the disk of the data directory.
#[derive(Debug)]
pub(crate) struct Space {
    dir: PathBuf,
    floor: u64,
    disk: Mutex<Disk>,
}

/// Bytes that were let in; they count until this is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    space: Arc<Space>,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.space.lock().coming -= self.bytes;
    }
}

#[derive(Debug)]
struct Disk {
    free: u64,
    looked: Instant,
    tended: Instant,
    /// Bytes inside of the database that its next rows take before it grows.
    reusable: u64,
    /// Bytes that were let in and are not written yet, or just were.
    coming: u64,
    is_reserved: bool,
    /// When the reserve may be made next.
    retry: Instant,
}

impl Space {
    /// Holds the reserve back if there is room for it. Otherwise lets one go that is there: opening a database takes
    /// room too.
    pub(crate) fn open(dir: &Path, floor: u64) -> io::Result<Self> {
        let now = Instant::now();
        let is_reserved = reserve_file(dir).exists();
        let disk = Disk { free: free(dir)?, looked: now, tended: now, reusable: 0, coming: 0, is_reserved, retry: now };
        let this = Self { dir: dir.to_owned(), floor, disk: Mutex::new(disk) };
        this.keep_reserve(&mut this.lock());
        Ok(this)
    }

    /// Lets so many bytes be added in rows, while what is given back lives.
    pub(crate) fn admit(self: &Arc<Self>, bytes: usize) -> Result<Room, DiskFull> {
        let bytes = bytes as u64;
        let mut disk = self.lock();
        self.look(&mut disk);
        // They are written to the log, and from there to the database; many may come in one transaction.
        let coming = disk.coming.saturating_add(bytes).saturating_mul(2);
        let free = disk.free.saturating_sub(coming);
        // Pages inside of the database are reached through the log, so that some of the disk must be free too.
        if free.saturating_add(disk.reusable) < self.floor || free < self.floor / 2 {
            return Err(DiskFull);
        }
        disk.coming += bytes;
        Ok(Room { space: self.clone(), bytes })
    }

    /// Whether so many bytes may be added in files.
    pub(crate) fn check_content(&self, bytes: u64) -> Result<(), DiskFull> {
        let mut disk = self.lock();
        self.look(&mut disk);
        if disk.free < self.floor.saturating_add(bytes) { Err(DiskFull) } else { Ok(()) }
    }

    /// To be called before each transaction: what is held back is there for it.
    pub(crate) fn prepare(&self) {
        self.look_again(&mut self.lock());
    }

    /// To be called after each transaction. Now and then, and each time while there is little room, asks how many
    /// bytes of the database are free.
    pub(crate) fn tend(&self, reusable: impl FnOnce() -> u64) {
        let mut disk = self.lock();
        if disk.tended.elapsed() >= FRESH || disk.free < self.floor {
            disk.tended = Instant::now();
            disk.reusable = reusable();
        }
    }

    /// Lets the reserve go when it is needed, and holds it back again later.
    fn keep_reserve(&self, disk: &mut Disk) {
        let file = reserve_file(&self.dir);
        if disk.is_reserved {
            // Without a floor there is none, but an earlier start may have wanted one.
            if self.floor > 0 && disk.free < RESERVE / 2 {
                tracing::warn!("the disk is full; what was held back for deleting is let go");
            } else if self.floor > 0 {
                return;
            }
            disk.is_reserved = fs::remove_file(&file).is_err();
        } else if self.floor > 0 && disk.free >= self.floor.saturating_add(RESERVE) && disk.retry <= Instant::now() {
            match hold_back(&file, RESERVE) {
                Ok(()) => disk.is_reserved = true,
                Err(error) => {
                    disk.retry = Instant::now() + RETRY;
                    tracing::warn!(%error, "no room could be held back for deleting on a full disk");
                }
            }
        }
    }

    /// Looks at the disk if the last look is a while ago.
    fn look(&self, disk: &mut Disk) {
        if disk.looked.elapsed() >= FRESH {
            self.look_again(disk);
        }
    }

    fn look_again(&self, disk: &mut Disk) {
        disk.looked = Instant::now();
        match free(&self.dir) {
            Ok(bytes) => disk.free = bytes,
            Err(error) => tracing::warn!(%error, "the room on the disk cannot be told"),
        }
        self.keep_reserve(disk);
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reserve_file(dir: &Path) -> PathBuf {
    dir.join("reserve")
}

/// Bytes that an ordinary user can still write.
fn free(dir: &Path) -> io::Result<u64> {
    let found = statvfs(dir)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// A file whose blocks are there, not only its length.
fn hold_back(file: &Path, bytes: u64) -> io::Result<()> {
    let held = File::create(file)?;
    fallocate(&held, FallocateFlags::empty(), 0, bytes).map_err(|error| {
        // Half a reserve is none: it would be taken for a whole one.
        let _ = fs::remove_file(file);
        error.into()
    })
}
