//! Columns that earlier versions of the database lack.

use std::path::Path;

use rusqlite::Connection;

use crate::store::StoreError;

/// Added to `sns_subscriptions` since its first version.
const COLUMNS: [(&str, &str); 4] = [
    ("settings", "TEXT NOT NULL DEFAULT '{}'"),
    ("pending", "INTEGER NOT NULL DEFAULT 0"),
    ("token", "TEXT"),
    ("token_ms", "INTEGER NOT NULL DEFAULT 0"),
];

/// Brings the database at `path`, which may not be there yet, up to what the schema expects.
pub(crate) fn migrate(path: &Path) -> Result<(), StoreError> {
    let connection = Connection::open(path)?;
    for (name, definition) in COLUMNS {
        let (is_made, has_column): (bool, bool) = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info('sns_subscriptions')),
                    EXISTS (SELECT 1 FROM pragma_table_info('sns_subscriptions') WHERE name = ?1)",
            [name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if is_made && !has_column {
            connection.execute_batch(&format!("ALTER TABLE sns_subscriptions ADD COLUMN {name} {definition}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{SCHEMA, subscription},
        *,
    };

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
            migrate(&path).unwrap();
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch(SCHEMA).unwrap();
            let [one] = &subscription::confirmed_of_topic(&connection, "t").unwrap()[..] else { panic!("it is gone") };
            assert!(one.raw && one.settings == subscription::Settings::default());
        }
    }

    #[test]
    fn a_new_database_is_left_to_the_schema() {
        let directory = tempfile::tempdir().unwrap();
        migrate(&directory.path().join("db")).unwrap();
        let connection = Connection::open(directory.path().join("db")).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        assert!(subscription::all(&connection, 0, 1).unwrap().is_empty());
    }
}
