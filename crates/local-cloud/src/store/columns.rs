//! Columns that a newer schema has and the tables of an older data directory lack.
//!
//! The schema is written once, as `CREATE TABLE IF NOT EXISTS`. It is tried in an empty database in
//! memory; what is missing in a table that is there already is then added to it. A new column must
//! therefore have a default or be allowed to be null, and is never renamed, changed or taken away.

use rusqlite::Connection;

/// One column as SQLite describes it (`pragma_table_info`).
struct Column {
    name: String,
    kind: String,
    not_null: bool,
    default: Option<String>,
}

/// Adds to the tables that are there what `schema` has beyond them.
pub(super) fn add_missing(connection: &Connection, schema: &str) -> rusqlite::Result<()> {
    let wanted = Connection::open_in_memory()?;
    wanted.execute_batch(schema)?;
    for table in tables(&wanted)? {
        let present = columns(connection, &table)?;
        if present.is_empty() {
            // The schema itself makes it.
            continue;
        }
        for column in columns(&wanted, &table)? {
            if !present.iter().any(|known| known.name == column.name) {
                connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {}", column.definition()))?;
            }
        }
    }
    Ok(())
}

impl Column {
    fn definition(&self) -> String {
        let Self { name, kind, not_null, default } = self;
        let not_null = if *not_null { " NOT NULL" } else { "" };
        let default = default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        format!("{name} {kind}{not_null}{default}")
    }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// None when there is no such table.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Column>> {
    let mut statement =
        connection.prepare("SELECT name, type, \"notnull\", dflt_value FROM pragma_table_info(?1) ORDER BY cid")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Column { name: row.get(0)?, kind: row.get(1)?, not_null: row.get(2)?, default: row.get(3)? })
    };
    statement.query_map([table], read)?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT NOT NULL);";
    const NEW: &str = "
        CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT, c INTEGER NOT NULL DEFAULT 7);
        CREATE TABLE IF NOT EXISTS u (id INTEGER PRIMARY KEY AUTOINCREMENT);
        CREATE INDEX IF NOT EXISTS t_b ON t (b);";

    #[test]
    fn a_table_that_is_there_gets_what_it_lacks_and_keeps_its_rows() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(OLD).unwrap();
        connection.execute("INSERT INTO t (id, a) VALUES (1, 'x')", []).unwrap();
        for _ in 0..2 {
            add_missing(&connection, NEW).unwrap();
            connection.execute_batch(NEW).unwrap();
        }
        let row = connection.query_row("SELECT a, b, c FROM t", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?))
        });
        assert_eq!(row.unwrap(), ("x".to_owned(), None, 7));
        connection.execute("INSERT INTO u DEFAULT VALUES", []).unwrap();
    }
}
