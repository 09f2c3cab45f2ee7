//! One SQLite database under the data directory holds everything that is not file content.
//!
//! All writes go through one thread that gathers whatever is waiting into a single transaction
//! (group commit): many clients share one `fsync`, and nobody is answered before it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

/// The most writes that share one commit; it bounds how long the first of them waits.
const BATCH: usize = 256;
/// Writes waiting for the thread. A full queue makes senders wait, which is the back-pressure.
const WAITING: usize = 1024;
/// Idle read connections that are kept.
const READERS: usize = 4;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own error: disk full, I/O error, constraint.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The transaction that this write shared could not be committed; nothing of it was kept.
    #[error("commit failed: {0}")]
    Commit(String),
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
/// Runs inside the transaction; gives back what to do once its fate is known.
type Write = Box<dyn FnOnce(&Connection) -> Finish + Send>;
type Finish = Box<dyn FnOnce(Result<(), String>) + Send>;

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
}

struct Readers {
    path: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens or creates the database at `path` and applies `schema` (idempotent statements).
    pub fn open(path: &Path, schema: &str) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: the WAL is synced at each commit, so an acknowledged write survives a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(128);
        connection.execute_batch(schema)?;
        let (writes, waiting) = mpsc::channel(WAITING);
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_loop(&connection, waiting))
            .map_err(|error| StoreError::Commit(error.to_string()))?;
        let readers = Readers { path: path.to_owned(), idle: Mutex::default() };
        Ok(Self { writes, readers: Arc::new(readers) })
    }

    /// Runs `work` in a transaction shared with whatever else is waiting, and answers once it is
    /// on disk. An `Err` from `work` undoes what `work` did and nothing else.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |connection| run(connection, work, answer));
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
        let task = tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = work(&connection);
            readers.give_back(connection);
            result
        });
        task.await.map_err(|_| StoreError::Closed)?
    }
}

impl Readers {
    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
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
        connection.execute_batch("SAVEPOINT one").map_err(StoreError::from)?;
        let result = work(&mut transaction);
        let end = if result.is_ok() { "RELEASE one" } else { "ROLLBACK TO one; RELEASE one" };
        connection.execute_batch(end).map_err(StoreError::from)?;
        result
    })();
    let after_commit = transaction.after_commit;
    Box::new(move |committed| {
        let result = match (result, committed) {
            (Ok(_), Err(cause)) => Err(StoreError::Commit(cause).into()),
            (result, _) => result,
        };
        if result.is_ok() {
            after_commit.into_iter().for_each(|action| action());
        }
        // The client may have gone away; its write stands all the same.
        let _ = answer.send(result);
    })
}

fn write_loop(connection: &Connection, mut waiting: mpsc::Receiver<Write>) {
    while let Some(first) = waiting.blocking_recv() {
        let begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string());
        let mut finish = vec![first(connection)];
        while finish.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            finish.push(next(connection));
        }
        let committed = begun.and_then(|()| {
            connection.execute_batch("COMMIT").map_err(|error| {
                let _ = connection.execute_batch("ROLLBACK");
                error.to_string()
            })
        });
        finish.into_iter().for_each(|finish| finish(committed.clone()));
    }
}
