//! One SQL on SQLite and PostgreSQL.
//!
//! Statements are portable: `$1` parameters, `TEXT` ids, `BIGINT` milliseconds, `ON CONFLICT`,
//! `RETURNING`. Each service keeps to its own tables: a file of its own on SQLite, a schema of its
//! own on PostgreSQL. See ADR 0002.

mod url;

use std::time::Duration;

use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Transaction, any::AnyPoolOptions, migrate::Migrator};

pub use crate::url::{DatabaseUrl, InvalidUrl, Kind};

/// What one statement, one wait for a lock and one idle transaction may take on PostgreSQL, so that
/// a process that hangs holds up nobody for ever.
const LIMITS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
                      SET idle_in_transaction_session_timeout = '60s'";

/// How long a caller waits for a free connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a service keeps its tables.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// `postgres://user:password@host/name` or `sqlite:///path/to/file`.
    #[arg(long = "database-url", env = "SEGUE_DATABASE_URL", hide_env_values = true)]
    pub url: DatabaseUrl,
    /// The most connections to hold open.
    #[arg(long = "database-connections", env = "SEGUE_DATABASE_CONNECTIONS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub connections: u32,
}

/// A pool of connections to one service's tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    kind: Kind,
}

/// The database cannot be used; the sentence says what to look at.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It cannot be reached or refuses the login.
    #[error("cannot open the database {url}")]
    Open {
        /// The URL without its password.
        url: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to this version's form.
    #[error("cannot migrate the database {url}")]
    Migrate {
        /// The URL without its password.
        url: String,
        /// What failed.
        source: sqlx::migrate::MigrateError,
    },
}

impl Database {
    /// Connects, and brings the tables of `schema` to the form that `migrations` describes.
    /// `schema` is the service's name with underscores; PostgreSQL keeps its tables there.
    pub async fn connect(
        args: &DatabaseArgs,
        schema: &'static str,
        migrations: &Migrator,
    ) -> Result<Self, ConnectError> {
        sqlx::any::install_default_drivers();
        let kind = args.url.kind();
        let open = |source| ConnectError::Open { url: args.url.to_string(), source };
        let options = AnyPoolOptions::new()
            .max_connections(args.connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(move |connection, _| Box::pin(prepare(connection, kind, schema)));
        if kind == Kind::Postgres {
            create_schema(args.url.expose(), schema).await.map_err(open)?;
        }
        let pool = options.connect(args.url.expose()).await.map_err(open)?;
        migrations.run(&pool).await.map_err(|source| ConnectError::Migrate { url: args.url.to_string(), source })?;
        Ok(Self { pool, kind })
    }

    /// The pool, for single statements.
    #[must_use]
    pub const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Which database this is, for a statement that cannot be written once.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Begins a transaction that is going to write.
    ///
    /// SQLite takes its write lock at once: a transaction that reads first and wants the lock
    /// later fails when somebody else wrote in between (<https://sqlite.org/lang_transaction.html>).
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        }
    }

    /// Fails unless the database answers, for readiness.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(|_| ())
    }
}

/// Whether a database lets this user in and answers. Makes and changes nothing, but for a SQLite file that is not there.
pub async fn reach(url: &DatabaseUrl) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let connect = tokio::time::timeout(ACQUIRE_TIMEOUT, AnyConnection::connect(url.expose()));
    let mut connection = connect.await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    connection.ping().await?;
    connection.close().await
}

async fn prepare(connection: &mut AnyConnection, kind: Kind, schema: &'static str) -> Result<(), sqlx::Error> {
    match kind {
        // FULL syncs the log at each commit: what was answered survives a power cut. macOS keeps what was
        // merely synced in the drive's cache, hence fullfsync (<https://sqlite.org/pragma.html>).
        Kind::Sqlite => {
            let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;";
            connection.execute(pragmas).await.map(|_| ())
        }
        Kind::Postgres => {
            connection.execute(LIMITS).await?;
            let search_path = sqlx::query("SELECT set_config('search_path', $1, false)").bind(schema);
            search_path.execute(connection).await.map(|_| ())
        }
    }
}

/// Makes the service's schema unless it is there: a role that may not make one can work in one that
/// somebody else made. Two processes that start together may both try: the loser's error
/// is a unique violation, and the schema is there.
async fn create_schema(url: &str, schema: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = tokio::time::timeout(ACQUIRE_TIMEOUT, AnyConnection::connect(url))
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??;
    let found = sqlx::query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1").bind(schema);
    if found.fetch_optional(&mut connection).await?.is_some() {
        return connection.close().await;
    }
    let statement = sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    match connection.execute(statement).await {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
        other => {
            other?;
        }
    }
    connection.close().await
}

/// Whether a statement failed because a row of that key is there already.
#[must_use]
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}
