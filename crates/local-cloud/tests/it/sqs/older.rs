//! A data directory of before FIFO queues.

use aws_sdk_sqs::{Client, types::QueueAttributeName as Name};
use rusqlite::Connection;

use super::{attributes, bodies, create, fifo::create_fifo, receive};
use crate::crash::Process;

/// The tables as they were, with a queue and a message.
const OLDER: &str = r#"
CREATE TABLE sqs_queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL,
    policy TEXT,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL
);
CREATE TABLE sqs_messages (
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
    body TEXT NOT NULL
);
CREATE INDEX sqs_messages_due ON sqs_messages (queue, visible_ms);
INSERT INTO sqs_queues (name, settings, tags, created_ms, modified_ms) VALUES
    ('q', '{"visibility_timeout":40,"retention":345600,"delay":0,"wait":0,"largest":1048576}', '{}', 0, 0);
INSERT INTO sqs_messages (queue, visible_ms, sent_ms, message_id, sender, body)
    SELECT id, unixepoch() * 1000 - 1000, unixepoch() * 1000 - 1000, 'id', 'me', 'old' FROM sqs_queues;
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_data_directory_opens_with_its_messages() {
    let directory = tempfile::tempdir().unwrap();
    Connection::open(directory.path().join("local-cloud.db")).unwrap().execute_batch(OLDER).unwrap();
    for round in 1..3 {
        let process = Process::start(directory.path());
        let sqs = Client::new(&process.config());
        let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "40")]).await;
        assert_eq!(attributes(&sqs, &url).await["VisibilityTimeout"], "40");
        let expected: &[&str] = if round == 1 { &["old"] } else { &[] };
        assert_eq!(bodies(&receive(&sqs, &url).await), expected);
        create_fifo(&sqs, "new.fifo", &[]).await;
        process.kill();
    }
}
