//! Object content: plain files with random names, so that no key ever becomes a path.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;

use super::fault::Fault;
use crate::store::Store;

/// The directory of all segment files: `<2 hex>/<32 hex>`.
pub(super) struct Files {
    dir: PathBuf,
}

/// A file that goes away again unless it is kept. Whoever commits the row that names it keeps it,
/// and does so after the commit: a client that hangs up in between must not take it along.
pub(super) struct NewFile {
    id: String,
    path: PathBuf,
    kept: bool,
}

impl Files {
    /// Makes the directories that are missing.
    pub(super) fn open(dir: PathBuf) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for first in 0..=u8::MAX {
            builder.create(dir.join(format!("{first:02x}")))?;
        }
        sync_dir(&dir)?;
        dir.parent().map_or(Ok(()), sync_dir)?;
        Ok(Self { dir })
    }

    /// Removes what a crash left: files that no row names.
    pub(super) fn sweep(&self, store: &Store) -> Result<(), Fault> {
        for first in 0..=u8::MAX {
            let prefix = format!("{first:02x}");
            let found = fs::read_dir(self.dir.join(&prefix))?.collect::<io::Result<Vec<_>>>()?;
            if found.is_empty() {
                continue;
            }
            let known = store.read_now(|connection| known_files(connection, &prefix))?;
            for entry in found {
                if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        // Ids are ours: 32 hex digits.
        self.dir.join(id.get(..2).unwrap_or_default()).join(id)
    }

    /// A new empty file.
    pub(super) fn create(&self) -> io::Result<(NewFile, File)> {
        let new = self.new_name()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new.path)?;
        Ok((new, file))
    }

    /// The same content under a second name. Segments are never written again, so that both can
    /// share it; only when the file system refuses another link is it copied.
    pub(super) fn duplicate(&self, id: &str) -> io::Result<NewFile> {
        let new = self.new_name()?;
        if fs::hard_link(self.path(id), &new.path).is_err() {
            fs::copy(self.path(id), &new.path)?;
            File::open(&new.path)?.sync_all()?;
        }
        Ok(new)
    }

    fn new_name(&self) -> io::Result<NewFile> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).map_err(|_| io::Error::other("no randomness from the system"))?;
        let id = hex::encode(bytes);
        let path = self.path(&id);
        Ok(NewFile { id, path, kept: false })
    }
}

fn known_files(connection: &rusqlite::Connection, prefix: &str) -> Result<HashSet<String>, Fault> {
    // 'g' sorts after every hex digit.
    let end = format!("{prefix}g");
    let mut statement = connection.prepare_cached(
        "SELECT file FROM s3_segments WHERE file BETWEEN ?1 AND ?2
         UNION ALL SELECT file FROM s3_parts WHERE file BETWEEN ?1 AND ?2",
    )?;
    let rows = statement.query_map([prefix, &end], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl NewFile {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Makes the file's name survive a crash; its content is synced apart.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), sync_dir)
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // A file that stays is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
