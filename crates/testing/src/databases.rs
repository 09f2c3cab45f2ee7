//! A database of each kind, of a test's own.

use std::time::Duration;

use database::{DatabaseArgs, DatabaseUrl, Kind};
use sqlx::{AnyConnection, Connection, Executor};
use tempfile::TempDir;
use uuid::Uuid;

use crate::postgres;

/// An empty database that is removed when it is dropped.
pub struct TestDatabase {
    url: DatabaseUrl,
    kind: Kind,
    /// Held for its drop: the directory of the SQLite file.
    _directory: Option<TempDir>,
    /// The server's own URL and the database's name there.
    on_server: Option<(String, String)>,
}

/// One empty database on SQLite and one on PostgreSQL: every database test runs on each.
pub async fn databases() -> Vec<TestDatabase> {
    vec![TestDatabase::sqlite(), TestDatabase::postgres().await]
}

impl TestDatabase {
    /// A file in a temporary directory.
    #[must_use]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = DatabaseUrl::sqlite(&directory.path().join("test.sqlite"));
        Self { url, kind: Kind::Sqlite, _directory: Some(directory), on_server: None }
    }

    /// A database of its own in the throw-away cluster.
    pub async fn postgres() -> Self {
        sqlx::any::install_default_drivers();
        let cluster = postgres::cluster();
        let name = format!("test_{}", Uuid::now_v7().simple());
        let admin = cluster.url("postgres");
        run(&admin, format!("CREATE DATABASE {name}")).await.expect("the test's database is made");
        let url = cluster.url(&name).parse().expect("a PostgreSQL URL");
        Self { url, kind: Kind::Postgres, _directory: None, on_server: Some((admin, name)) }
    }

    /// The settings that lead a service there.
    #[must_use]
    pub fn args(&self) -> DatabaseArgs {
        DatabaseArgs { url: self.url.clone(), connections: 4 }
    }

    /// Which kind it is, for the messages of assertions.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

async fn run(url: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    connection.close().await
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((admin, name)) = self.on_server.take() else { return };
        // The test's own runtime may be the one that is ending, so this takes a thread with another.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let drop = run(&admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                // Best effort: the cluster itself is thrown away later. The time-out needs the runtime around it.
                let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), drop).await });
            }
        });
        let _ = removal.join();
    }
}
