//! Names of queues, and their rows.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    attributes::Settings,
    error::{Error, kind},
    fifo,
};
use crate::Context;

/// A queue as the store has it.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) settings: Settings,
}

impl Queue {
    pub(crate) fn is_fifo(&self) -> bool {
        self.settings.fifo.is_some()
    }

    /// What was sent at this moment or before is no longer kept.
    pub(crate) fn expired_ms(&self, now: i64) -> i64 {
        now - self.settings.retention * 1000
    }
}

pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<Queue>, Error> {
    let mut statement = connection.prepare_cached("SELECT id, settings FROM sqs_queues WHERE name = ?1")?;
    let row = statement.query_row([name], |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional()?;
    let Some((id, settings)) = row else { return Ok(None) };
    let settings = serde_json::from_str(&settings).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(Queue { id, name: name.to_owned(), settings }))
}

pub(crate) fn get(connection: &Connection, name: &str) -> Result<Queue, Error> {
    find(connection, name)?.ok_or_else(Error::no_such_queue)
}

/// A new message in a queue.
pub(crate) struct NewMessage<'a> {
    pub(crate) id: &'a str,
    pub(crate) sender: &'a str,
    pub(crate) trace: Option<&'a str>,
    /// JSON of the attributes.
    pub(crate) attributes: Option<&'a str>,
    pub(crate) body: &'a str,
    pub(crate) group: Option<&'a str>,
    pub(crate) deduplication: Option<&'a str>,
    pub(crate) sent_ms: i64,
    pub(crate) visible_ms: i64,
}

/// Stores a message and gives back its id.
pub(crate) fn insert(connection: &Connection, queue: i64, message: &NewMessage<'_>) -> Result<i64, Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO sqs_messages
             (queue, visible_ms, sent_ms, message_id, sender, trace, attributes, body, message_group, deduplication)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.execute(params![
        queue,
        message.visible_ms,
        message.sent_ms,
        message.id,
        message.sender,
        message.trace,
        message.attributes,
        message.body,
        message.group,
        message.deduplication,
    ])?;
    Ok(connection.last_insert_rowid())
}

/// 1 to 80 letters, digits, `-` and `_`; those of FIFO queues, and no others, end in `.fifo`, which
/// counts (SQS API, CreateQueue).
pub(crate) fn check_name(name: &str, is_fifo: bool) -> Result<(), Error> {
    let stem = if is_fifo { name.strip_suffix(fifo::SUFFIX).unwrap_or_default() } else { name };
    let is_good = (1..=80).contains(&name.len())
        && !stem.is_empty()
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_good {
        return Ok(());
    }
    let message = if is_fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
         .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    };
    Err(Error::client(kind::INVALID_PARAMETER, message))
}

impl Context {
    pub(crate) fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.public_endpoint, self.account)
    }

    pub(crate) fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    /// The name in a queue URL. Its host is not looked at: inside a container network and outside
    /// of it, the same endpoint has different names.
    pub(crate) fn queue_name_in_url(&self, url: Option<&str>) -> Result<String, Error> {
        let url = url.filter(|url| !url.is_empty()).ok_or_else(|| Error::missing("QueueUrl"))?;
        let mut parts = url.trim_end_matches('/').rsplit('/');
        match (parts.next(), parts.next()) {
            (Some(name), Some(account)) if account == self.account => Ok(name.to_owned()),
            _ => Err(Error::no_such_queue()),
        }
    }

    /// The name in the ARN of one of our queues.
    pub(crate) fn queue_name_in_arn<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let name = arn.rsplit(':').next()?;
        (arn == self.queue_arn(name)).then_some(name)
    }
}
