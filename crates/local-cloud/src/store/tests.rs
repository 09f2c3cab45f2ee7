use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)";

fn store() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(&dir.path().join("db"), SCHEMA, ()).unwrap(), dir)
}

async fn insert(store: &Store, n: i64) -> Result<(), StoreError> {
    store.write(move |t| Ok(t.execute("INSERT INTO t VALUES (?1)", [n]).map(drop)?)).await
}

async fn all(store: &Store) -> Vec<i64> {
    let read = |c: &Connection| -> Result<Vec<i64>, StoreError> {
        let mut statement = c.prepare_cached("SELECT n FROM t ORDER BY n")?;
        let rows = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(rows)
    };
    store.read(read).await.unwrap()
}

#[tokio::test]
async fn a_failing_write_leaves_its_neighbours_alone() {
    let (store, _dir) = store();
    let writes = (0..50).map(|n| insert(&store, n % 40));
    let results = futures::future::join_all(writes).await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 10);
    assert_eq!(all(&store).await, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panicking_write_is_undone_and_the_store_goes_on() {
    let (store, _dir) = store();
    let panicking = store.write(|t| -> Result<(), StoreError> {
        t.execute("INSERT INTO t VALUES (1)", [])?;
        panic!("a bug in a caller");
    });
    assert!(matches!(panicking.await, Err(StoreError::Panicked)));
    let late = store.write(|t| -> Result<(), StoreError> {
        t.after_commit(|| panic!("a bug in what follows"));
        Ok(t.execute("INSERT INTO t VALUES (2)", []).map(drop)?)
    });
    assert!(late.await.is_err());
    insert(&store, 3).await.unwrap();
    assert_eq!(all(&store).await, [2, 3]);
    let read = store.read(|_| -> Result<(), StoreError> { panic!("a bug in a reader") }).await;
    assert!(matches!(read, Err(StoreError::Panicked)));
    assert_eq!(all(&store).await, [2, 3]);
}

#[tokio::test]
async fn without_a_transaction_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let (gone, mut other) = (Connection::open(&path).unwrap(), Connection::open(&path).unwrap());
    gone.execute_batch(SCHEMA).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    gone.busy_timeout(Duration::ZERO).unwrap();
    let (sender, receiver) = mpsc::channel(1);
    let space = Arc::new(roomy(&path));
    let store = Store { writes: sender, readers: Arc::new(readers(&path)), space: space.clone() };
    let writer = thread::spawn(move || write_loop(&gone, &space, receiver));
    let ran = Arc::new(AtomicU32::new(0));
    let counter = ran.clone();
    let write = store.write(move |t| -> Result<(), StoreError> {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(t.execute("INSERT INTO t VALUES (1)", []).map(drop)?)
    });
    assert!(matches!(write.await, Err(StoreError::Commit(_))));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    drop(lock);
    insert(&store, 2).await.unwrap();
    assert_eq!(all(&store).await, [2]);
    drop(store);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_fails_as_a_whole() {
    let (store, _dir) = store();
    let ended = store.write(|t| -> Result<(), StoreError> {
        t.execute("INSERT INTO t VALUES (1)", [])?;
        // As SQLite itself does on a full disk.
        Ok(t.execute_batch("ROLLBACK")?)
    });
    let (ended, neighbour) = tokio::join!(ended, insert(&store, 2));
    assert!(ended.is_err());
    let expected: &[i64] = if neighbour.is_ok() { &[2] } else { &[] };
    assert_eq!(all(&store).await, expected);
}

#[tokio::test]
async fn what_follows_a_commit_happens_only_then() {
    let (store, _dir) = store();
    let count = Arc::new(AtomicU32::new(0));
    for n in [1, 1, 2] {
        let count = count.clone();
        let _ = store
            .write(move |t| -> Result<(), StoreError> {
                t.after_commit(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                });
                Ok(t.execute("INSERT INTO t VALUES (?1)", [n]).map(drop)?)
            })
            .await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_write_survives_its_caller() {
    let (store, _dir) = store();
    {
        let mut write = Box::pin(insert(&store, 1));
        assert!(futures::poll!(&mut write).is_pending());
    }
    insert(&store, 2).await.unwrap();
    assert_eq!(all(&store).await, [1, 2]);
}

#[test]
fn what_may_be_on_disk_is_not_taken_away() {
    struct File(Arc<AtomicU32>);
    impl Drop for File {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let connection = Connection::open_in_memory().unwrap();
    let removed = Arc::new(AtomicU32::new(0));
    let end = |committed: Result<(), NotCommitted>| {
        let (answer, mut answered) = oneshot::channel();
        let file = File(removed.clone());
        let work = move |t: &mut Transaction<'_>| -> Result<(), StoreError> {
            // As new content is kept once the row is there that names it.
            t.after_commit(move || std::mem::forget(file));
            Ok(())
        };
        run(&connection, work, answer)(committed);
        answered.try_recv().unwrap().is_ok()
    };
    assert!(end(Ok(())));
    assert!(!end(Err(NotCommitted::Unknown("fsync failed".into()))));
    assert_eq!(removed.load(Ordering::SeqCst), 0);
    assert!(!end(Err(NotCommitted::Undone("disk full".into()))));
    assert_eq!(removed.load(Ordering::SeqCst), 1);
}

#[test]
fn only_a_commit_that_was_not_written_is_surely_none() {
    let of = |code| {
        let cause = ffi::Error::new(code);
        NotCommitted::of(&StoreError::Sqlite(rusqlite::Error::SqliteFailure(cause, None)))
    };
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_IOERR_WRITE] {
        assert!(matches!(of(code), NotCommitted::Undone(_)), "{code}");
    }
    assert!(matches!(of(ffi::SQLITE_IOERR_FSYNC), NotCommitted::Unknown(_)));
}

#[tokio::test]
async fn the_log_does_not_stay_as_long_as_it_was() {
    let (store, dir) = store();
    let reader = Connection::open(dir.path().join("db")).unwrap();
    // Whoever reads keeps the log from beginning anew.
    reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    let big = |t: &mut Transaction<'_>| -> Result<(), StoreError> {
        t.execute_batch("CREATE TABLE big (b BLOB)")?;
        Ok(t.execute("INSERT INTO big VALUES (randomblob(40000000))", []).map(drop)?)
    };
    store.write(big).await.unwrap();
    let length = || dir.path().join("db-wal").metadata().unwrap().len();
    assert!(length() > 30_000_000, "{}", length());
    reader.execute_batch("ROLLBACK").unwrap();
    for n in 0..3 {
        insert(&store, n).await.unwrap();
    }
    assert!(length() <= LONGEST_LOG as u64, "{}", length());
}
