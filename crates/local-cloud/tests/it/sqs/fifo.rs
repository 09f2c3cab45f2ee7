//! FIFO queues: what they are made of, and what is sent twice.

use std::collections::HashMap;

use aws_sdk_sqs::{
    Client,
    operation::send_message::SendMessageOutput,
    types::{
        DeleteMessageBatchRequestEntry, MessageSystemAttributeName as System, QueueAttributeName as Name,
        SendMessageBatchRequestEntry,
    },
};

use super::{attributes, bodies, code, create, handle, receive};
use crate::world::World;

/// A FIFO queue with attributes of its own.
pub async fn create_fifo(sqs: &Client, name: &str, attributes: &[(Name, &str)]) -> String {
    let attributes = [&[(Name::FifoQueue, "true")], attributes].concat();
    create(sqs, name, &attributes).await
}

/// A send that is told apart from all others by `id`.
pub async fn send_to(sqs: &Client, url: &str, group: &str, id: &str, body: &str) -> SendMessageOutput {
    let request = sqs.send_message().queue_url(url).message_body(body);
    request.message_group_id(group).message_deduplication_id(id).send().await.unwrap()
}

#[tokio::test]
async fn a_fifo_queue_has_its_name_and_its_attributes() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let expected = [
        ("FifoQueue", "true"),
        ("ContentBasedDeduplication", "false"),
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
    ];
    let shown = attributes(&sqs, &url).await;
    for (name, value) in expected {
        assert_eq!(shown[name], value, "{name}");
    }
    let make = |name: &str, fifo: &str| sqs.create_queue().queue_name(name).attributes(Name::FifoQueue, fifo).send();
    assert_eq!(make("q.fifo", "true").await.unwrap().queue_url, Some(url.clone()));
    assert_eq!(code(make("q", "true").await), "InvalidParameterValue");
    assert_eq!(code(make(".fifo", "true").await), "InvalidParameterValue");
    assert_eq!(code(make(&format!("{}.fifo", "x".repeat(76)), "true").await), "InvalidParameterValue");
    assert_eq!(code(make("q", "false").await), "InvalidAttributeName");
    assert_eq!(code(make("q.fifo", "yes").await), "InvalidAttributeValue");
    assert_eq!(code(sqs.create_queue().queue_name("r.fifo").send().await), "InvalidParameterValue");
    let standard = create(&sqs, "standard", &[]).await;
    let set =
        |url: &str, name: Name, value: &str| sqs.set_queue_attributes().queue_url(url).attributes(name, value).send();
    assert_eq!(code(set(&standard, Name::FifoQueue, "true").await), "InvalidAttributeName");
    assert_eq!(code(set(&standard, Name::ContentBasedDeduplication, "true").await), "InvalidAttributeName");
    assert_eq!(code(set(&url, Name::FifoQueue, "false").await), "InvalidAttributeValue");
    assert_eq!(code(set(&url, Name::FifoThroughputLimit, "perMessageGroupId").await), "InvalidAttributeValue");
    set(&url, Name::DeduplicationScope, "messageGroup").await.unwrap();
    set(&url, Name::FifoThroughputLimit, "perMessageGroupId").await.unwrap();
    assert_eq!(attributes(&sqs, &url).await["FifoThroughputLimit"], "perMessageGroupId");
}

#[tokio::test]
async fn a_message_without_group_or_id_is_refused_and_so_is_a_delay() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let message = || sqs.send_message().queue_url(&url).message_body("x");
    assert_eq!(code(message().message_deduplication_id("1").send().await), "MissingParameter");
    assert_eq!(code(message().message_group_id("g").send().await), "InvalidParameterValue");
    let whole = || message().message_group_id("g").message_deduplication_id("1");
    assert_eq!(code(whole().delay_seconds(1).send().await), "InvalidParameterValue");
    for bad in ["", "a b", "é", &"x".repeat(129)] {
        assert_eq!(code(whole().message_group_id(bad).send().await), "InvalidParameterValue", "{bad}");
        assert_eq!(code(whole().message_deduplication_id(bad).send().await), "InvalidParameterValue", "{bad}");
        let request = sqs.receive_message().queue_url(&url).receive_request_attempt_id(bad);
        assert_eq!(code(request.send().await), "InvalidParameterValue", "{bad}");
    }
    whole().delay_seconds(0).send().await.unwrap();
    let standard = create(&sqs, "standard", &[]).await;
    let with_id = sqs.send_message().queue_url(&standard).message_body("x").message_deduplication_id("1");
    assert_eq!(code(with_id.send().await), "InvalidParameterValue");
    // Standard queues take a group since July 2025 ("Amazon SQS fair queues").
    sqs.send_message().queue_url(&standard).message_body("x").message_group_id("g").send().await.unwrap();
    let received = receive(&sqs, &standard).await.remove(0).attributes.unwrap();
    assert_eq!(received[&System::MessageGroupId], "g");
    assert!(!received.contains_key(&System::SequenceNumber));
}

#[tokio::test]
async fn a_message_carries_its_group_its_id_and_a_growing_number() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let mut numbers = Vec::new();
    for id in ["1", "2", "3"] {
        numbers.push(send_to(&sqs, &url, "g", id, "x").await.sequence_number.unwrap());
    }
    assert!(numbers.iter().all(|number| number.len() == 20), "{numbers:?}");
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let received = receive(&sqs, &url).await;
    assert_eq!(received.len(), 3);
    for ((message, number), id) in received.iter().zip(&numbers).zip(["1", "2", "3"]) {
        let shown = message.attributes().unwrap();
        assert_eq!(shown[&System::SequenceNumber], *number);
        assert_eq!(shown[&System::MessageGroupId], "g");
        assert_eq!(shown[&System::MessageDeduplicationId], id);
    }
}

#[tokio::test]
async fn the_same_id_is_stored_once_and_answered_as_the_first_time() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let first = send_to(&sqs, &url, "g", "1", "x").await;
    // The id counts in the whole queue, and whatever the body is.
    for (group, body) in [("g", "x"), ("h", "y")] {
        let again = send_to(&sqs, &url, group, "1", body).await;
        assert_eq!(again.message_id, first.message_id);
        assert_eq!(again.sequence_number, first.sequence_number);
    }
    let received = receive(&sqs, &url).await;
    assert_eq!(bodies(&received), ["x"]);
    sqs.delete_message().queue_url(&url).receipt_handle(handle(&received[0])).send().await.unwrap();
    let world = world.restart().await;
    let sqs = world.sqs();
    let url = sqs.get_queue_url().queue_name("q.fifo").send().await.unwrap().queue_url.unwrap();
    assert_eq!(send_to(&sqs, &url, "g", "1", "x").await.message_id, first.message_id);
    assert!(receive(&sqs, &url).await.is_empty());
    let other = create_fifo(&sqs, "other.fifo", &[]).await;
    assert_ne!(send_to(&sqs, &other, "g", "1", "x").await.message_id, first.message_id);
}

#[tokio::test]
async fn ids_count_in_their_group_where_the_queue_says_so() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[(Name::DeduplicationScope, "messageGroup")]).await;
    for (group, body) in [("g", "x"), ("h", "y"), ("g", "z")] {
        send_to(&sqs, &url, group, "1", body).await;
    }
    assert_eq!(bodies(&receive(&sqs, &url).await), ["x", "y"]);
}

#[tokio::test]
async fn content_stands_in_for_an_id() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[(Name::ContentBasedDeduplication, "true")]).await;
    let send = |body: &str| sqs.send_message().queue_url(&url).message_body(body).message_group_id("g");
    let first = send("hello").send().await.unwrap();
    let again = send("hello").send().await.unwrap();
    assert_eq!(again.message_id, first.message_id);
    assert_eq!(again.sequence_number, first.sequence_number);
    // An id of its own goes before the content.
    send("hello").message_deduplication_id("1").send().await.unwrap();
    let received = receive(&sqs, &url).await;
    assert_eq!(bodies(&received), ["hello", "hello"]);
    let id = |n: usize| received[n].attributes().unwrap()[&System::MessageDeduplicationId].as_str();
    // The SHA-256 of the body.
    assert_eq!(id(0), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!(id(1), "1");
}

#[tokio::test]
async fn a_batch_is_in_order_and_fails_entry_by_entry() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let entry = |id: &str, group: Option<&str>, deduplication: &str| {
        let entry =
            SendMessageBatchRequestEntry::builder().id(id).message_body(id).set_message_group_id(group.map(Into::into));
        entry.message_deduplication_id(deduplication).build().unwrap()
    };
    let batch = sqs.send_message_batch().queue_url(&url);
    let batch = batch.entries(entry("a", Some("g"), "1")).entries(entry("b", None, "2"));
    let batch = batch.entries(entry("c", Some("g"), "1")).entries(entry("d", Some("g"), "3"));
    let sent = batch.send().await.unwrap();
    let ids: HashMap<&str, &str> = sent.successful().iter().map(|done| (done.id(), done.message_id())).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids["a"], ids["c"]);
    assert!(sent.successful().iter().all(|done| done.sequence_number().is_some()));
    assert_eq!((sent.failed()[0].id(), sent.failed()[0].code()), ("b", "MissingParameter"));
    let received = receive(&sqs, &url).await;
    assert_eq!(bodies(&received), ["a", "d"]);
    let delete = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = sqs.delete_message_batch().queue_url(&url);
    let batch = batch.entries(delete("a", handle(&received[0]))).entries(delete("d", handle(&received[1])));
    assert_eq!(batch.send().await.unwrap().successful().len(), 2);
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "0");
}

#[tokio::test]
async fn a_purge_empties_every_group() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    send_to(&sqs, &url, "g", "1", "in flight").await;
    assert_eq!(receive(&sqs, &url).await.len(), 1);
    send_to(&sqs, &url, "g", "2", "behind it").await;
    send_to(&sqs, &url, "h", "3", "free").await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(receive(&sqs, &url).await.is_empty());
    send_to(&sqs, &url, "g", "4", "new").await;
    assert_eq!(bodies(&receive(&sqs, &url).await), ["new"]);
}
