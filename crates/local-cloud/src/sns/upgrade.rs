//! A data directory of an earlier version stays readable.

use rusqlite::Connection;

use super::{SCHEMA, subscription};
use crate::store::{Store, StoreError};

/// As the first version made it.
const FIRST: &str = "
    CREATE TABLE sns_topics (name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL);
    CREATE TABLE sns_subscriptions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, arn TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL REFERENCES sns_topics (name) ON DELETE CASCADE,
        protocol TEXT NOT NULL, endpoint TEXT NOT NULL, raw INTEGER NOT NULL, UNIQUE (topic, protocol, endpoint)
    );
    INSERT INTO sns_topics VALUES ('t', '{}', '{}');
    INSERT INTO sns_subscriptions (arn, topic, protocol, endpoint, raw) VALUES ('a', 't', 'sqs', 'q', 1);";

#[test]
fn what_the_first_version_wrote_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    Connection::open(&path).unwrap().execute_batch(FIRST).unwrap();
    for _ in 0..2 {
        let store = Store::open(&path, SCHEMA, ()).unwrap();
        let read = |connection: &Connection| {
            Ok::<_, StoreError>(subscription::confirmed_of_topic(connection, "t").expect("subscriptions"))
        };
        let [one] = &store.read_now(read).unwrap()[..] else { panic!("it is gone") };
        assert!(one.raw && one.settings == subscription::Settings::default());
    }
}
