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
