//! Deliveries over HTTP that are still to be made. They are rows, written in the transaction that causes
//! them, so that a crash delays them and loses none.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{error::Error, publication::Publication};

/// One message for one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub(super) id: i64,
    publication: i64,
    pub(super) topic: String,
    /// The subscription's ARN; it may be gone by now.
    pub(super) subscription: String,
    pub(super) endpoint: String,
    pub(super) raw: bool,
    /// How often it has failed.
    pub(super) failures: u32,
}

const COLUMNS: &str = "SELECT id, publication, topic, subscription, endpoint, raw, failures FROM sns_deliveries";

/// Writes what is to be delivered, once for all subscriptions.
pub(super) fn store(connection: &Connection, topic: &str, publication: &Publication) -> Result<i64, Error> {
    let content = serde_json::to_string(publication)?;
    connection
        .prepare_cached("INSERT INTO sns_publications (topic, content) VALUES (?1, ?2)")?
        .execute(params![topic, content])?;
    Ok(connection.last_insert_rowid())
}

/// To whom a message is to go.
pub(super) struct Recipient<'a> {
    pub(super) topic: &'a str,
    pub(super) subscription: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) raw: bool,
}

/// Asks for the delivery of a stored publication, at once.
pub(super) fn add(connection: &Connection, publication: i64, to: &Recipient<'_>, now_ms: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO sns_deliveries (publication, topic, subscription, endpoint, raw, due_ms, made_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        )?
        .execute(params![publication, to.topic, to.subscription, to.endpoint, to.raw, now_ms])?;
    Ok(())
}

/// Every endpoint for which there is a delivery. It hops from one to the next, however many deliveries
/// each of them has.
pub(super) fn endpoints(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE hop (endpoint) AS (
             SELECT min(endpoint) FROM sns_deliveries
             UNION ALL
             SELECT (SELECT min(endpoint) FROM sns_deliveries WHERE endpoint > hop.endpoint)
             FROM hop WHERE hop.endpoint IS NOT NULL
         )
         SELECT endpoint FROM hop WHERE endpoint IS NOT NULL",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The first that are due for one endpoint.
pub(super) fn due(connection: &Connection, endpoint: &str, now_ms: i64, limit: usize) -> Result<Vec<Delivery>, Error> {
    let mut statement = connection
        .prepare_cached(&format!("{COLUMNS} WHERE endpoint = ?1 AND due_ms <= ?2 ORDER BY due_ms, id LIMIT ?3"))?;
    let rows = statement.query_map(params![endpoint, now_ms, limit as i64], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The oldest, as far as they were made before a time. Those of a version that did not note it are not
/// among them.
pub(super) fn made_before(connection: &Connection, until_ms: i64, limit: usize) -> Result<Vec<Delivery>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE made_ms BETWEEN 1 AND ?1 ORDER BY made_ms LIMIT ?2"))?;
    let rows = statement.query_map(params![until_ms, limit as i64], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When the next becomes due of those that are not.
pub(super) fn next_due(connection: &Connection, now_ms: i64) -> Result<Option<i64>, Error> {
    let mut statement = connection.prepare_cached("SELECT min(due_ms) FROM sns_deliveries WHERE due_ms > ?1")?;
    Ok(statement.query_row([now_ms], |row| row.get(0))?)
}

/// A delivery that was not called off in the meantime.
pub(super) fn find(connection: &Connection, id: i64) -> Result<Option<Delivery>, Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
    Ok(statement.query_row([id], row).optional()?)
}

/// What it delivers.
pub(super) fn publication(connection: &Connection, delivery: &Delivery) -> Result<Publication, Error> {
    let mut statement = connection.prepare_cached("SELECT content FROM sns_publications WHERE id = ?1")?;
    let content: String = statement.query_row([delivery.publication], |row| row.get(0))?;
    Ok(serde_json::from_str(&content)?)
}

/// Notes a failure after which it is tried again.
pub(super) fn postpone(connection: &Connection, id: i64, failures: u32, due_ms: i64) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE sns_deliveries SET failures = ?2, due_ms = ?3 WHERE id = ?1")?
        .execute(params![id, failures, due_ms])?;
    Ok(())
}

/// Takes one away, and what it delivered if nobody else is to get that.
pub(super) fn remove(connection: &Connection, delivery: &Delivery) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM sns_deliveries WHERE id = ?1")?.execute([delivery.id])?;
    connection
        .prepare_cached(
            "DELETE FROM sns_publications
             WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM sns_deliveries WHERE publication = ?1)",
        )?
        .execute([delivery.publication])?;
    Ok(())
}

/// Calls off what a subscription was still to get.
pub(super) fn call_off(connection: &Connection, subscription: &str) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE subscription = ?1"))?;
    let rows: Vec<Delivery> = statement.query_map([subscription], row)?.collect::<Result<_, _>>()?;
    rows.iter().try_for_each(|delivery| remove(connection, delivery))
}

fn row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: row.get(0)?,
        publication: row.get(1)?,
        topic: row.get(2)?,
        subscription: row.get(3)?,
        endpoint: row.get(4)?,
        raw: row.get(5)?,
        failures: row.get(6)?,
    })
}

#[cfg(test)]
impl Delivery {
    /// One that nothing is known of but where it goes.
    pub(super) fn sample(id: i64, endpoint: &str) -> Self {
        let text = String::new();
        Self {
            id,
            publication: 0,
            topic: text.clone(),
            subscription: text,
            endpoint: endpoint.to_owned(),
            raw: true,
            failures: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::SCHEMA, *};

    #[test]
    fn the_oldest_are_found_and_those_of_an_unknown_age_are_not() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        connection.execute("INSERT INTO sns_topics VALUES ('t', '{}', '{}')", []).unwrap();
        let to = Recipient { topic: "t", subscription: "s", endpoint: "http://h/", raw: true };
        for made_ms in [0, 3000, 1000, 2000] {
            add(&connection, 1, &to, made_ms).unwrap();
        }
        let found = |until_ms, limit| -> Vec<i64> {
            made_before(&connection, until_ms, limit).unwrap().into_iter().map(|delivery| delivery.id).collect()
        };
        assert_eq!(found(2000, 10), [3, 4]);
        assert_eq!(found(9000, 1), [3]);
        assert!(found(999, 10).is_empty());
    }
}
