//! One SQLite database under the data directory holds everything that is not file content.
//!
//! All writes go through one thread that gathers whatever is waiting into a single transaction
//! (group commit): many clients share one `fsync`, and nobody is answered before it.

mod columns;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::space::Space;

/// The most writes that share one commit; it bounds how long the first of them waits.
const BATCH: usize = 256;
/// Writes waiting for the thread. A full queue makes senders wait, which is the back-pressure.
const WAITING: usize = 1024;
/// Read connections, and so reads at one time; further readers wait.
const READERS: usize = 8;
/// Pages in the log after which it is copied into the database: 16 MiB. Most of what a queue writes is
/// overwritten by then, and needs no copy.
const CHECKPOINT: u32 = 4000;
/// Bytes that the log keeps between two checkpoints: what [`CHECKPOINT`] pages take.
const LONGEST_LOG: i64 = 16 * 1024 * 1024;
/// How long SQLite waits for a lock that another process (a backup, a shell) holds.
const BUSY: Duration = Duration::from_secs(5);

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own error: disk full, I/O error, constraint.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The transaction that this write shared could not be committed. Nothing of it was kept, unless the log could
    /// be written and not synced: then the next start may find it.
    #[error("commit failed: {0}")]
    Commit(String),
    /// The work itself panicked; nothing of it was kept.
    #[error("the work on the store panicked")]
    Panicked,
    /// The writer thread has stopped.
    #[error("the store is closed")]
    Closed,
}

/// What a write sees: the open transaction, and a list of things to do once it is on disk.
pub struct Transaction<'a> {
    connection: &'a Connection,
    after_commit: Vec<AfterCommit>,
}

type AfterCommit = Box<dyn FnOnce() + Send>;
/// Runs inside the transaction, or not at all when none could be begun; gives back what to do once
/// its fate is known.
type Write = Box<dyn FnOnce(Option<&Connection>) -> Finish + Send>;
type Finish = Box<dyn FnOnce(Result<(), NotCommitted>) + Send>;

/// Why a transaction does not count.
#[derive(Clone, Debug)]
enum NotCommitted {
    /// Nothing of it is on disk.
    Undone(String),
    /// All of it may be on disk: it was written and could not be synced. If the process ends before the next
    /// commit, the next start may find it whole.
    Unknown(String),
}

impl NotCommitted {
    fn of(error: &StoreError) -> Self {
        // What could not be written whole is not taken for a commit: that is written last (SQLite, "WAL file format").
        let is_unwritten = matches!(error, StoreError::Sqlite(rusqlite::Error::SqliteFailure(cause, _))
            if cause.code == ErrorCode::DiskFull
                || cause.code == ErrorCode::DatabaseBusy
                || cause.extended_code == ffi::SQLITE_IOERR_WRITE);
        if is_unwritten { Self::Undone(error.to_string()) } else { Self::Unknown(error.to_string()) }
    }

    fn into_cause(self) -> String {
        match self {
            Self::Undone(cause) | Self::Unknown(cause) => cause,
        }
    }
}

impl Transaction<'_> {
    /// Runs `action` after the commit, even when the client that asked has gone away.
    /// Waking long polls belongs here.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }
}

impl std::ops::Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// A cheap handle to the database.
#[derive(Clone)]
pub struct Store {
    writes: mpsc::Sender<Write>,
    readers: Arc<Readers>,
    space: Arc<Space>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Store {
    /// Opens or creates the database at `path` and applies `schema` (idempotent statements); columns
    /// that it has beyond the tables of an older database are added to them.
    /// `space` is the room on its disk, which the writes tend; `held` is kept until the last write is done: the
    /// lock of the data directory goes here.
    pub fn open_in(space: Space, path: &Path, schema: &str, held: impl Send + 'static) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: the WAL is synced at each commit, so an acknowledged write survives a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // macOS: a plain fsync leaves the data in the drive's cache.
        connection.pragma_update(None, "fullfsync", "ON")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        // Otherwise the log stays as long as it ever was, and counts as used.
        connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
        prepare_once(&connection, 128)?;
        columns::add_missing(&connection, schema)?;
        connection.execute_batch(schema)?;
        // What a full disk, or a backup that took long, has left. Where there is no room for it, it waits.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let (writes, waiting) = mpsc::channel(WAITING);
        let space = Arc::new(space);
        let tended = space.clone();
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                write_loop(&connection, &tended, waiting);
                drop(connection);
                drop(held);
            })
            .map_err(|error| StoreError::Commit(error.to_string()))?;
        Ok(Self { writes, readers: Arc::new(readers(path)), space })
    }

    /// The same on a disk that is never full.
    #[cfg(test)]
    pub fn open(path: &Path, schema: &str, held: impl Send + 'static) -> Result<Self, StoreError> {
        Self::open_in(roomy(path), path, schema, held)
    }

    /// The room on the disk. What adds something asks here first; nothing else does, so that it works on a full
    /// disk too.
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// Runs `work` in a transaction shared with whatever else is waiting, and answers once it is
    /// on disk. An `Err` from `work` undoes what `work` did and nothing else. Once this has been
    /// polled far enough to hand `work` over, dropping it does not take the write back.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |transaction| match transaction {
            Some(connection) => run(connection, work, answer),
            None => refuse(answer),
        });
        self.writes.send(write).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` on a read connection: it sees everything committed so far.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let readers = self.readers.clone();
        let _permit = self.readers.permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let task = tokio::task::spawn_blocking(move || readers.with(work));
        task.await.map_err(|error| if error.is_panic() { StoreError::Panicked } else { StoreError::Closed })?
    }

    /// Like [`Self::read`], on the calling thread; for start-up, before there is a runtime.
    pub fn read_now<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(&Connection) -> Result<T, E>,
    {
        self.readers.with(work)
    }
}

/// Keeps so many statements, and each as it was prepared: otherwise SQLite prepares some of them anew for every
/// value that is bound to them, in search of a plan for just that value.
fn prepare_once(connection: &Connection, statements: usize) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(statements);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn readers(path: &Path) -> Readers {
    Readers { path: path.to_owned(), idle: Mutex::default(), permits: Semaphore::new(READERS) }
}

impl Readers {
    /// One read transaction, so that all statements of `work` see the same state.
    fn with<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(&Connection) -> Result<T, E>,
    {
        let connection = self.take()?;
        execute(&connection, "BEGIN")?;
        // A panic, or an error here, drops the connection and with it the transaction.
        let result = work(&connection);
        execute(&connection, "ROLLBACK")?;
        self.give_back(connection);
        result
    }

    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY)?;
        prepare_once(&connection, 64)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS {
            idle.push(connection);
        }
    }
}

/// One write inside its savepoint, so that a failing one leaves its neighbours alone.
fn run<T, E, F>(connection: &Connection, work: F, answer: oneshot::Sender<Result<T, E>>) -> Finish
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let mut transaction = Transaction { connection, after_commit: Vec::new() };
    let result = (|| {
        execute(connection, "SAVEPOINT one")?;
        // Unwind safe: whatever the work did to the database is rolled back.
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut transaction)))
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()));
        if result.is_err() {
            execute(connection, "ROLLBACK TO one")?;
        }
        execute(connection, "RELEASE one")?;
        result
    })();
    let after_commit = transaction.after_commit;
    Box::new(move |committed| {
        let result = match (result, committed) {
            (Ok(_), Err(cause)) => {
                if let NotCommitted::Unknown(_) = cause {
                    // Dropping it would remove files that the next start may find named; that start sweeps them if
                    // it does not.
                    std::mem::forget(after_commit);
                }
                Err(StoreError::Commit(cause.into_cause()).into())
            }
            (result, _) => {
                if result.is_ok() {
                    after_commit.into_iter().for_each(|action| action());
                }
                result
            }
        };
        // The client may have gone away; its write stands all the same.
        let _ = answer.send(result);
    })
}

/// A statement that is run for every write is parsed once.
fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Answers a write for which no transaction could be begun.
fn refuse<T, E>(answer: oneshot::Sender<Result<T, E>>) -> Finish
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    Box::new(move |begun| {
        let _ = answer
            .send(Err(begun.err().map_or(StoreError::Closed, |cause| StoreError::Commit(cause.into_cause())).into()));
    })
}

fn write_loop(connection: &Connection, space: &Space, mut waiting: mpsc::Receiver<Write>) {
    while let Some(first) = waiting.blocking_recv() {
        space.prepare();
        // Whoever is ready to run on this core hands its write in first, and shares the commit.
        thread::yield_now();
        let (finish, committed) = match execute(connection, "BEGIN IMMEDIATE") {
            Ok(()) => one_commit(connection, first, &mut waiting),
            Err(error) => (vec![first(None)], Err(NotCommitted::Undone(error.to_string()))),
        };
        space.tend(|| free_bytes(connection).unwrap_or_default());
        for finish in finish {
            // A panic in what follows one commit must not end the thread that all others need.
            let _ = catch_unwind(AssertUnwindSafe(|| finish(committed.clone())));
        }
    }
}

/// What rows that were removed have left in the file, which only grows.
fn free_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")?;
    statement.query_row([], |row| row.get(0))
}

/// Room as far as a test is concerned.
#[cfg(test)]
fn roomy(path: &Path) -> Space {
    Space::open(path.parent().unwrap_or(path), 0).expect("a directory that is there")
}

/// Runs what is waiting in the open transaction and commits it.
fn one_commit(
    connection: &Connection,
    first: Write,
    waiting: &mut mpsc::Receiver<Write>,
) -> (Vec<Finish>, Result<(), NotCommitted>) {
    let mut finish = vec![first(Some(connection))];
    // SQLite ends a transaction by itself on errors such as a full disk. Going on would then commit
    // each write alone and tell its client that it failed.
    while finish.len() < BATCH
        && !connection.is_autocommit()
        && let Ok(next) = waiting.try_recv()
    {
        finish.push(next(Some(connection)));
    }
    if connection.is_autocommit() {
        return (finish, Err(NotCommitted::Undone("the transaction was rolled back".to_owned())));
    }
    let committed = execute(connection, "COMMIT").map_err(|error| {
        let _ = connection.execute_batch("ROLLBACK");
        NotCommitted::of(&error)
    });
    (finish, committed)
}

#[cfg(test)]
mod tests;
