//! Messages stored with the change that causes them.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use common::Timestamp;
use sqlx::{Any, AnyConnection, AnyPool, Row, Transaction, any::AnyRow};
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a relay may take to send what it claimed before another one may try, in milliseconds.
const LEASE_MS: i64 = 30_000;
/// Rows are counted up to this many: more is too many in any case, and counting takes time.
const COUNT: i64 = 10_000;
/// The most rows of one claim.
const CLAIM: i64 = 100;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The queue of this full name.
    Queue(String),
    /// The topic of this ARN.
    Topic(String),
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub target: Target,
    /// The subject, for a topic.
    pub subject: Option<String>,
    /// The body.
    pub body: String,
    /// String attributes, for filters and traces.
    pub attributes: BTreeMap<String, String>,
}

/// A row of the outbox that this process has claimed.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub id: String,
    pub outgoing: Outgoing,
    pub attempts: u32,
}

/// The messages of one service, in the table `outbox` of its own database:
///
/// ```sql
/// CREATE TABLE outbox (
///     id TEXT PRIMARY KEY, target TEXT NOT NULL, subject TEXT, body TEXT NOT NULL,
///     attributes TEXT NOT NULL, created_at BIGINT NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT NOT NULL
/// );
/// CREATE INDEX outbox_due ON outbox (due_at);
/// ```
///
/// [`put`](Self::put) in the transaction of the change, then [`commit`](Self::commit): a crash in
/// between loses both or neither. [`Relay`](crate::Relay) sends what was committed, at least once.
#[derive(Debug, Clone)]
pub struct Outbox {
    pool: AnyPool,
    wake: Arc<Notify>,
}

impl Outbox {
    /// The outbox of the database behind `pool`.
    #[must_use]
    pub fn new(pool: AnyPool) -> Self {
        Self { pool, wake: Arc::default() }
    }

    /// Stores a message in the caller's transaction.
    pub async fn put(&self, connection: &mut AnyConnection, outgoing: &Outgoing) -> Result<(), sqlx::Error> {
        let attributes =
            serde_json::to_string(&outgoing.attributes).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(
            "INSERT INTO outbox (id, target, subject, body, attributes, created_at, attempts, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, 0, 0)",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(outgoing.target.to_string())
        .bind(outgoing.subject.as_deref())
        .bind(outgoing.body.as_str())
        .bind(attributes)
        .bind(Timestamp::now().as_millis())
        .execute(connection)
        .await
        .map(|_| ())
    }

    /// Commits the transaction and wakes the relay.
    pub async fn commit(&self, transaction: Transaction<'_, Any>) -> Result<(), sqlx::Error> {
        transaction.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Waits until something was committed in this process.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Claims what is due, oldest first. A claim ends by [`sent`](Self::sent), by
    /// [`failed`](Self::failed), or by the lease of a process that died.
    pub(crate) async fn claim(&self, now: Timestamp) -> Result<Vec<Claimed>, sqlx::Error> {
        // Reading first keeps an idle relay from taking SQLite's write lock.
        let waiting = sqlx::query("SELECT id FROM outbox WHERE due_at <= $1 LIMIT 1").bind(now.as_millis());
        if waiting.fetch_optional(&self.pool).await?.is_none() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "UPDATE outbox SET due_at = $1, attempts = attempts + 1
             WHERE id IN (SELECT id FROM outbox WHERE due_at <= $2 ORDER BY id LIMIT $3) AND due_at <= $2
             RETURNING id, target, subject, body, attributes, attempts",
        )
        .bind(now.as_millis() + LEASE_MS)
        .bind(now.as_millis())
        .bind(CLAIM)
        .fetch_all(&self.pool)
        .await?;
        let mut claimed = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        claimed.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(claimed)
    }

    /// How many messages wait, and since when the oldest does.
    pub(crate) async fn waiting(&self) -> Result<(i64, Option<Timestamp>), sqlx::Error> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS count, MIN(created_at) AS oldest
             FROM (SELECT created_at FROM outbox ORDER BY id LIMIT $1) AS waiting",
        )
        .bind(COUNT)
        .fetch_one(&self.pool)
        .await?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok((row.try_get("count")?, oldest.map(Timestamp::from_millis)))
    }

    /// Removes what was sent.
    pub(crate) async fn sent(&self, ids: &[String]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        for id in ids {
            sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id.as_str()).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Puts a failed message off until `due`.
    pub(crate) async fn failed(&self, id: &str, due: Timestamp) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE outbox SET due_at = $1 WHERE id = $2")
            .bind(due.as_millis())
            .bind(id)
            .execute(&self.pool)
            .await
            .map(|_| ())
    }
}

fn read(row: &AnyRow) -> Result<Claimed, sqlx::Error> {
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let target: String = row.try_get("target")?;
    let attributes: String = row.try_get("attributes")?;
    let attempts: i64 = row.try_get("attempts")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        outgoing: Outgoing {
            target: target.parse().map_err(|error: String| decode(error.into()))?,
            subject: row.try_get("subject")?,
            body: row.try_get("body")?,
            attributes: serde_json::from_str(&attributes).map_err(|error| decode(error.into()))?,
        },
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
    })
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "sqs:{name}"),
            Self::Topic(arn) => write!(f, "sns:{arn}"),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqs", name)) => Ok(Self::Queue(name.to_owned())),
            Some(("sns", arn)) => Ok(Self::Topic(arn.to_owned())),
            _ => Err(format!("{text:?} is no target")),
        }
    }
}
