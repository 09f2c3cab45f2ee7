//! How much may be in flight, and how often a queue may be purged.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{
    attributes, code, create,
    fifo::{create_fifo, send_to},
    handle, receive, receive_within, send,
};
use crate::world::World;

/// Puts messages into every queue that are in flight, straight into the database: to receive as many
/// would take minutes.
fn put_in_flight(world: &World, count: i64) {
    let database = rusqlite::Connection::open(world.directory().join("local-cloud.db")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    let insert = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO sqs_messages
            (queue, visible_ms, receives, received_ms, first_received_ms, sent_ms, message_id, sender, body, message_group)
        SELECT id, 9e15, 1, 1, 1, created_ms, 'id', 'me', 'x', 'others' FROM n, sqs_queues";
    database.execute(insert, [count]).unwrap();
}

#[tokio::test]
async fn no_more_than_120_000_messages_are_in_flight() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let fifo = create_fifo(&sqs, "q.fifo", &[]).await;
    put_in_flight(&world, 119_999);
    for body in ["1", "2"] {
        send(&sqs, &url, body).await;
        send_to(&sqs, &fifo, body, body, body).await;
    }
    let last = receive(&sqs, &url).await;
    assert_eq!(last.len(), 1, "there is room for one more");
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "120000");
    let short = sqs.receive_message().queue_url(&url).send().await;
    assert_eq!(code(short), "OverLimit");
    let started = Instant::now();
    assert!(receive_within(&sqs, &url, 1).await.is_empty(), "a long poll gets nothing");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(receive(&sqs, &fifo).await.len(), 1);
    assert!(receive(&sqs, &fifo).await.is_empty(), "nor does any poll of a FIFO queue");
    sqs.delete_message().queue_url(&url).receipt_handle(handle(&last[0])).send().await.unwrap();
    assert_eq!(receive(&sqs, &url).await.len(), 1);
}

#[tokio::test]
async fn a_queue_is_purged_once_a_minute() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    send(&sqs, &url, "x").await;
    let again = sqs.purge_queue().queue_url(&url).send().await;
    assert_eq!(code(again), "AWS.SimpleQueueService.PurgeQueueInProgress");
    let other = create(&sqs, "other", &[]).await;
    sqs.purge_queue().queue_url(&other).send().await.unwrap();
    // The minute counts across a restart too.
    let world = world.restart().await;
    let again = world.sqs().purge_queue().queue_url(&url).send().await;
    assert_eq!(code(again), "AWS.SimpleQueueService.PurgeQueueInProgress");
    assert_eq!(receive(&world.sqs(), &url).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_encrypted_is_not_said_to_be() {
    let world = World::start().await;
    let sqs = world.sqs();
    let make = |name: Name, value: &str| sqs.create_queue().queue_name("q").attributes(name, value).send();
    let unsupported = "AWS.SimpleQueueService.UnsupportedOperation";
    assert_eq!(code(make(Name::SqsManagedSseEnabled, "true").await), unsupported);
    assert_eq!(code(make(Name::KmsMasterKeyId, "alias/aws/sqs").await), unsupported);
    make(Name::SqsManagedSseEnabled, "false").await.unwrap();
}
