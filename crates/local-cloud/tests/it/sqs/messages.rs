use aws_sdk_sqs::{
    primitives::Blob,
    types::{
        DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName as System,
        QueueAttributeName as Name, SendMessageBatchRequestEntry,
    },
};

use super::{attributes, bodies, code, create, handle, receive, send};
use crate::world::World;

const MIB: usize = 1024 * 1024;

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

#[tokio::test]
async fn attributes_of_all_types_come_back_with_the_documented_digest() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let binary =
        MessageAttributeValue::builder().data_type("Binary.gif").binary_value(Blob::new([1, 2])).build().unwrap();
    let sent = sqs
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .message_attributes("a.text", text("String", "é"))
        .message_attributes("a.number", text("Number.int", "12"))
        .message_attributes("b", binary.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(sent.md5_of_message_attributes(), Some("fc4c8ab97ee3569bfe25004db3105d13"));
    let received = receive(&sqs, &url).await.remove(0);
    assert_eq!(received.message_id(), sent.message_id());
    assert_eq!(received.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(received.md5_of_message_attributes(), sent.md5_of_message_attributes());
    let attributes = received.message_attributes().unwrap();
    assert_eq!(attributes["a.text"], text("String", "é"));
    assert_eq!(attributes["a.number"], text("Number.int", "12"));
    assert_eq!(attributes["b"], binary);
}

#[tokio::test]
async fn only_the_attributes_that_are_asked_for_come_and_are_digested() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "0")]).await;
    let send = sqs.send_message().queue_url(&url).message_body("x");
    let send = send.message_attributes("a.one", text("String", "1")).message_attributes("b", text("String", "2"));
    send.send().await.unwrap();
    let bare = sqs.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap().remove(0);
    assert!(bare.message_attributes().is_none() && bare.attributes().is_none());
    assert_eq!(bare.md5_of_message_attributes(), None);
    let request = sqs.receive_message().queue_url(&url).message_attribute_names("a.*");
    let request = request.message_system_attribute_names(System::ApproximateReceiveCount);
    let some = request.send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(some.message_attributes().unwrap().keys().collect::<Vec<_>>(), ["a.one"]);
    assert_eq!(some.md5_of_message_attributes(), Some("f2fd631f3c1e812e04749cce36500de7"));
    assert_eq!(some.attributes().unwrap().len(), 1);
    assert_eq!(some.attributes().unwrap()[&System::ApproximateReceiveCount], "2");
}

#[tokio::test]
async fn system_attributes_tell_what_happened_to_a_message() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "0")]).await;
    send(&sqs, &url, "x").await;
    let first = receive(&sqs, &url).await.remove(0).attributes.unwrap();
    let second = receive(&sqs, &url).await.remove(0).attributes.unwrap();
    assert_eq!(first[&System::ApproximateReceiveCount], "1");
    assert_eq!(second[&System::ApproximateReceiveCount], "2");
    assert_eq!(first[&System::SenderId], world.key.id);
    for name in [System::SentTimestamp, System::ApproximateFirstReceiveTimestamp] {
        assert_eq!(first[&name], second[&name], "{name}");
        assert!(first[&name].parse::<u64>().unwrap() > 1_700_000_000_000, "{name}");
    }
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte_with_its_attributes() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let largest = "x".repeat(MIB);
    send(&sqs, &url, &largest).await;
    assert_eq!(receive(&sqs, &url).await[0].body(), Some(largest.as_str()));
    let more = sqs.send_message().queue_url(&url).message_body("x".repeat(MIB + 1)).send().await;
    assert_eq!(code(more), "InvalidParameterValue");
    let with = sqs.send_message().queue_url(&url).message_body(&largest).message_attributes("a", text("String", "b"));
    assert_eq!(code(with.send().await), "InvalidParameterValue");
    let endless = sqs.send_message().queue_url(&url).message_body("x".repeat(5 * MIB)).send().await;
    assert_eq!(code(endless), "RequestEntityTooLarge");
    let small = create(&sqs, "small", &[(Name::MaximumMessageSize, "1024")]).await;
    let over = sqs.send_message().queue_url(&small).message_body("x".repeat(1025)).send().await;
    assert_eq!(code(over), "InvalidParameterValue");
}

#[tokio::test]
async fn bad_messages_are_refused() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let message = || sqs.send_message().queue_url(&url);
    assert_eq!(code(message().message_body("").send().await), "MissingParameter");
    assert_eq!(code(message().message_body("a\u{0}b").send().await), "InvalidMessageContents");
    assert_eq!(code(message().message_body("\u{FFFE}").send().await), "InvalidMessageContents");
    assert_eq!(code(message().message_body("x").delay_seconds(901).send().await), "InvalidParameterValue");
    let bad = message().message_body("x").message_attributes("AWS.a", text("String", "b"));
    assert_eq!(code(bad.send().await), "InvalidParameterValue");
    let eleven =
        (0..11).fold(message().message_body("x"), |m, n| m.message_attributes(n.to_string(), text("String", "b")));
    assert_eq!(code(eleven.send().await), "InvalidParameterValue");
    let nowhere = sqs.send_message().queue_url(format!("{url}x")).message_body("x").send().await;
    assert_eq!(code(nowhere), "AWS.SimpleQueueService.NonExistentQueue");
    assert!(receive(&sqs, &url).await.is_empty());
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_entry() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let batch = sqs.send_message_batch().queue_url(&url);
    let sent =
        batch.entries(entry("1", "a")).entries(entry("2", "\u{1}")).entries(entry("3", "c")).send().await.unwrap();
    let ids: Vec<&str> = sent.successful().iter().map(|done| done.id()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!((sent.failed()[0].id(), sent.failed()[0].code()), ("2", "InvalidMessageContents"));
    assert!(sent.failed()[0].sender_fault());
    let received = receive(&sqs, &url).await;
    assert_eq!(bodies(&received), ["a", "c"]);
    let one = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    };
    let batch = sqs.delete_message_batch().queue_url(&url);
    let deleted = batch.entries(one("x", handle(&received[0]))).entries(one("y", "garbage")).send().await.unwrap();
    assert_eq!(deleted.successful()[0].id(), "x");
    assert_eq!((deleted.failed()[0].id(), deleted.failed()[0].code()), ("y", "ReceiptHandleIsInvalid"));
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "1");
}

#[tokio::test]
async fn a_bad_batch_is_refused_as_a_whole() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let of = |entries: Vec<SendMessageBatchRequestEntry>| {
        sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let prefixed = |name: &str| format!("AWS.SimpleQueueService.{name}");
    assert_eq!(code(of(vec![]).await), prefixed("EmptyBatchRequest"));
    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    assert_eq!(code(of(eleven).await), prefixed("TooManyEntriesInBatchRequest"));
    assert_eq!(code(of(vec![entry("a", "x"), entry("a", "y")]).await), prefixed("BatchEntryIdsNotDistinct"));
    assert_eq!(code(of(vec![entry("a b", "x")]).await), prefixed("InvalidBatchEntryId"));
    let half = "x".repeat(MIB / 2 + 1);
    assert_eq!(code(of(vec![entry("a", &half), entry("b", &half)]).await), prefixed("BatchRequestTooLong"));
    assert!(receive(&sqs, &url).await.is_empty());
}
