//! The promises of the pool, on each database.

use database::{Database, Kind, is_unique_violation};
use sqlx::{Row, migrate::Migrator};
use testing::TestDatabase;

static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

async fn open(database: &TestDatabase) -> Database {
    Database::connect(&database.args(), "things", &MIGRATOR).await.unwrap()
}

#[tokio::test]
async fn a_second_start_finds_what_the_first_one_left() {
    for database in testing::databases().await {
        let first = open(&database).await;
        sqlx::query("INSERT INTO things (id, count, note) VALUES ($1, $2, $3)")
            .bind("a")
            .bind(7_i64)
            .bind(None::<String>)
            .execute(first.pool())
            .await
            .unwrap();
        let second = open(&database).await;
        let row = sqlx::query("SELECT count, note FROM things WHERE id = $1").bind("a").fetch_one(second.pool()).await;
        let row = row.unwrap();
        assert_eq!(row.get::<i64, _>("count"), 7, "{:?}", database.kind());
        assert_eq!(row.get::<Option<String>, _>("note"), None);
        second.ping().await.unwrap();
    }
}

#[tokio::test]
async fn services_on_one_server_do_not_meet() {
    let database = TestDatabase::postgres().await;
    let ours = open(&database).await;
    let theirs = Database::connect(&database.args(), "other", &MIGRATOR).await.unwrap();
    sqlx::query("INSERT INTO things (id, count) VALUES ('a', 1)").execute(ours.pool()).await.unwrap();
    let count = sqlx::query("SELECT COUNT(*) FROM things").fetch_one(theirs.pool()).await.unwrap();
    assert_eq!(count.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_key_that_is_there_is_told_from_other_failures() {
    for database in testing::databases().await {
        let database = open(&database).await;
        let insert = "INSERT INTO things (id, count) VALUES ('a', 1)";
        sqlx::query(insert).execute(database.pool()).await.unwrap();
        let error = sqlx::query(insert).execute(database.pool()).await.unwrap_err();
        assert!(is_unique_violation(&error), "{:?}", database.kind());
        let error = sqlx::query("SELECT nothing FROM nowhere").execute(database.pool()).await.unwrap_err();
        assert!(!is_unique_violation(&error), "{:?}", database.kind());
    }
}

/// Without BEGIN IMMEDIATE, SQLite fails those that read before they write.
#[tokio::test]
async fn transactions_that_read_and_then_write_all_succeed() {
    for database in testing::databases().await {
        let database = open(&database).await;
        sqlx::query("INSERT INTO things (id, count) VALUES ('a', 0)").execute(database.pool()).await.unwrap();
        let tasks = (0..20).map(|_| tokio::spawn(increment(database.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        let row = sqlx::query("SELECT count FROM things").fetch_one(database.pool()).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 20, "{:?}", database.kind());
    }
}

async fn increment(database: Database) -> Result<(), sqlx::Error> {
    let mut transaction = database.begin().await?;
    let lock = if database.kind() == Kind::Postgres {
        "SELECT count FROM things FOR UPDATE"
    } else {
        "SELECT count FROM things"
    };
    let count: i64 = sqlx::query(lock).fetch_one(&mut *transaction).await?.get(0);
    sqlx::query("UPDATE things SET count = $1").bind(count + 1).execute(&mut *transaction).await?;
    transaction.commit().await
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let mut args = TestDatabase::sqlite().args();
    args.url = "postgres://segue:hunter2@127.0.0.1:1/none".parse().unwrap();
    let error = Database::connect(&args, "things", &MIGRATOR).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1") && !error.to_string().contains("hunter2"), "{error}");
}
