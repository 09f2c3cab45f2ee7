use database::Database;
use sqlx::Row;

use super::*;
use crate::store::{MIGRATIONS, SCHEMA};

#[tokio::test]
async fn what_stands_still_is_asked_for_once_and_what_has_ended_is_not() {
    for database in testing::databases().await {
        let store = Store::new(Database::connect(&database.args(), SCHEMA, &MIGRATIONS).await.unwrap());
        let mut transaction = store.begin().await.unwrap();
        let insert = "INSERT INTO pipelines (id, document) VALUES ('p', '{}')";
        sqlx::query(insert).execute(&mut *transaction).await.unwrap();
        let now = Timestamp::now();
        for status in ["Submitted", "Progressing", "Complete", "Canceled"] {
            sqlx::query(
                "INSERT INTO jobs (id, pipeline_id, status, document, driven_at) VALUES ($1, 'p', $1, '{}', $2)",
            )
            .bind(status)
            .bind(now.as_millis())
            .execute(&mut *transaction)
            .await
            .unwrap();
        }
        store.commit(transaction).await.unwrap();
        let round = async |millis: i64| {
            let now = Timestamp::from_millis(now.as_millis() + millis);
            ask_again(&store, "jobs", now).await.unwrap()
        };
        assert_eq!(round(ENDED_MS).await, 0, "nothing has stood for long");
        assert_eq!(round(ENDED_MS + 1).await, 1, "{:?}: nobody has the begun one's lease", database.kind());
        assert_eq!(round(ENDED_MS + 2).await, 0, "asked for already");
        // By now the begun one has stood still again.
        assert_eq!(round(2 * ENDED_MS + WAITING_MS).await, 2);
        let waiting = sqlx::query("SELECT COUNT(*) FROM outbox").fetch_one(store.database.pool()).await.unwrap();
        assert_eq!(waiting.get::<i64, _>(0), 3);
        clear(&store, 90, now).await.unwrap();
        let jobs = sqlx::query("SELECT COUNT(*) FROM jobs").fetch_one(store.database.pool()).await.unwrap();
        assert_eq!(jobs.get::<i64, _>(0), 4, "nothing is old");
        clear(&store, 1, Timestamp::from_millis(now.as_millis() + DAY_MS + 1)).await.unwrap();
        let jobs = sqlx::query("SELECT COUNT(*) FROM jobs").fetch_one(store.database.pool()).await.unwrap();
        assert_eq!(jobs.get::<i64, _>(0), 2, "what has ended is");
    }
}
