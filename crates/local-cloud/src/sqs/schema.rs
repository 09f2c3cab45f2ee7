//! The tables. What is added later must be as `store/columns.rs` says.

/// `queue` in the tables below `sqs_queues` is not a foreign key: the ids of deleted queues are
/// never used again, and the check would cost on every message.
///
/// The id of a message grows with every arrival in a queue and is never used again either, so it is
/// the order within a FIFO queue too. `origin` is the name of the queue that a dead letter came from.
///
/// `sent_ms` is in the index `sqs_messages_visible` so that messages which have expired and are not swept yet can be left
/// out of a count without reading them: a dead letter keeps the time at which it was sent first.
///
/// `sqs_groups` has a row for each message group that has messages in a FIFO queue: `due_ms` is when
/// the first of them can be received (see `groups.rs`).
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sqs_queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    policy TEXT,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    purged_ms INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS sqs_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue INTEGER NOT NULL,
    visible_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    received_ms INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER NOT NULL DEFAULT 0,
    sent_ms INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    trace TEXT,
    attributes TEXT,
    body TEXT NOT NULL,
    message_group TEXT,
    deduplication TEXT,
    origin TEXT
);
DROP INDEX IF EXISTS sqs_messages_due; -- of older versions
CREATE INDEX IF NOT EXISTS sqs_messages_visible ON sqs_messages (queue, visible_ms, sent_ms);
CREATE INDEX IF NOT EXISTS sqs_messages_group ON sqs_messages (queue, message_group)
    WHERE message_group IS NOT NULL;
CREATE INDEX IF NOT EXISTS sqs_messages_group_received ON sqs_messages (queue, message_group, visible_ms)
    WHERE message_group IS NOT NULL AND receives > 0;
CREATE TABLE IF NOT EXISTS sqs_groups (
    queue INTEGER NOT NULL,
    message_group TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, message_group)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sqs_groups_due ON sqs_groups (queue, due_ms);
CREATE TABLE IF NOT EXISTS sqs_deduplications (
    queue INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication TEXT NOT NULL,
    message INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, scope, deduplication)
);
CREATE INDEX IF NOT EXISTS sqs_deduplications_until ON sqs_deduplications (until_ms);
CREATE TABLE IF NOT EXISTS sqs_attempts (
    queue INTEGER NOT NULL,
    attempt TEXT NOT NULL,
    message INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, attempt, message)
);
CREATE INDEX IF NOT EXISTS sqs_attempts_until ON sqs_attempts (until_ms);
CREATE TABLE IF NOT EXISTS sqs_moves (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    destination TEXT,
    per_second INTEGER,
    started_ms INTEGER NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    to_move INTEGER NOT NULL,
    status TEXT NOT NULL,
    failure TEXT
);
CREATE INDEX IF NOT EXISTS sqs_moves_source ON sqs_moves (source, id);
";
