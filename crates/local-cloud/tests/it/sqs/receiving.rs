use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, Message, QueueAttributeName as Name},
};
use tokio::{task::JoinHandle, time::timeout};

use super::{SOON, attributes, bodies, code, create, handle, receive, receive_within, send};
use crate::world::World;

/// A poll of 20 seconds in the background.
fn poll(sqs: &Client, url: &str) -> JoinHandle<Vec<Message>> {
    let (sqs, url) = (sqs.clone(), url.to_owned());
    tokio::spawn(async move { receive_within(&sqs, &url, 20).await })
}

async fn polled(poll: JoinHandle<Vec<Message>>) -> Vec<String> {
    let messages = timeout(SOON, poll).await.expect("the poll was not woken").unwrap();
    bodies(&messages).into_iter().map(str::to_owned).collect()
}

/// Until the poll has surely begun: an answer that came after it did.
async fn settle(sqs: &Client, url: &str) {
    for _ in 0..20 {
        attributes(sqs, url).await;
    }
}

#[tokio::test]
async fn a_send_wakes_a_poll() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let waiting = poll(&sqs, &url);
    settle(&sqs, &url).await;
    send(&sqs, &url, "x").await;
    assert_eq!(polled(waiting).await, ["x"]);
}

#[tokio::test]
async fn several_polls_share_what_comes() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let one = |_| {
        let request = sqs.receive_message().queue_url(&url).max_number_of_messages(1).wait_time_seconds(20);
        tokio::spawn(request.send())
    };
    let polls: Vec<_> = (0..5).map(one).collect();
    settle(&sqs, &url).await;
    for body in ["1", "2", "3", "4", "5"] {
        send(&sqs, &url, body).await;
    }
    let mut seen = Vec::new();
    for poll in polls {
        let answer = timeout(SOON, poll).await.expect("a poll was not woken").unwrap().unwrap();
        seen.push(answer.messages()[0].body().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_poll_without_messages_lasts_as_long_as_it_was_told() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::ReceiveMessageWaitTimeSeconds, "1")]).await;
    let started = Instant::now();
    assert!(sqs.receive_message().queue_url(&url).send().await.unwrap().messages().is_empty());
    assert!(started.elapsed() >= Duration::from_secs(1));
    let started = Instant::now();
    assert!(receive(&sqs, &url).await.is_empty());
    assert!(started.elapsed() < Duration::from_secs(1));
    for (name, bad) in [("wait", 21), ("wait", -1), ("number", 0), ("number", 11)] {
        let request = sqs.receive_message().queue_url(&url);
        let request = if name == "wait" { request.wait_time_seconds(bad) } else { request.max_number_of_messages(bad) };
        assert_eq!(code(request.send().await), "InvalidParameterValue", "{name} {bad}");
    }
}

#[tokio::test]
async fn the_end_of_a_visibility_timeout_wakes_a_poll() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "2")]).await;
    // One of them gets the message; the other waits already and must learn when it comes back.
    let (one, other) = (poll(&sqs, &url), poll(&sqs, &url));
    settle(&sqs, &url).await;
    send(&sqs, &url, "x").await;
    assert_eq!(polled(one).await, ["x"]);
    assert_eq!(polled(other).await, ["x"]);
}

#[tokio::test]
async fn the_end_of_a_delay_wakes_a_poll_and_not_before() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    let waiting = poll(&sqs, &url);
    settle(&sqs, &url).await;
    let started = Instant::now();
    sqs.send_message().queue_url(&url).message_body("x").delay_seconds(2).send().await.unwrap();
    assert!(receive(&sqs, &url).await.is_empty());
    assert_eq!(polled(waiting).await, ["x"]);
    assert!(started.elapsed() >= Duration::from_millis(1900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_message_that_is_given_back_wakes_a_poll() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    send(&sqs, &url, "x").await;
    let taken = receive(&sqs, &url).await;
    let waiting = poll(&sqs, &url);
    settle(&sqs, &url).await;
    let give_back = sqs.change_message_visibility().queue_url(&url).receipt_handle(handle(&taken[0]));
    give_back.visibility_timeout(0).send().await.unwrap();
    assert_eq!(polled(waiting).await, ["x"]);
}

#[tokio::test]
async fn a_poll_whose_client_went_away_keeps_no_message() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "1")]).await;
    let waiting = poll(&sqs, &url);
    settle(&sqs, &url).await;
    waiting.abort();
    send(&sqs, &url, "x").await;
    assert_eq!(polled(poll(&sqs, &url)).await, ["x"]);
}

#[tokio::test]
async fn only_the_newest_handle_deletes() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    send(&sqs, &url, "x").await;
    let first = receive(&sqs, &url).await;
    let give_back = sqs.change_message_visibility().queue_url(&url).receipt_handle(handle(&first[0]));
    give_back.visibility_timeout(0).send().await.unwrap();
    let second = receive(&sqs, &url).await;
    assert_ne!(handle(&first[0]), handle(&second[0]));
    let delete = |handle: &str| sqs.delete_message().queue_url(&url).receipt_handle(handle).send();
    delete(handle(&first[0])).await.unwrap();
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "1");
    delete(handle(&second[0])).await.unwrap();
    delete(handle(&second[0])).await.unwrap();
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesNotVisible"], "0");
    assert_eq!(code(delete("garbage").await), "ReceiptHandleIsInvalid");
    let other = create(&sqs, "other", &[]).await;
    let elsewhere = sqs.delete_message().queue_url(other).receipt_handle(handle(&second[0])).send().await;
    assert_eq!(code(elsewhere), "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn visibility_changes_only_in_flight() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[(Name::VisibilityTimeout, "0")]).await;
    send(&sqs, &url, "x").await;
    let visible = receive(&sqs, &url).await;
    let change = |handle: &str, timeout: i32| {
        let request = sqs.change_message_visibility().queue_url(&url).receipt_handle(handle);
        request.visibility_timeout(timeout).send()
    };
    assert_eq!(code(change(handle(&visible[0]), 30).await), "AWS.SimpleQueueService.MessageNotInflight");
    let taken = sqs.receive_message().queue_url(&url).visibility_timeout(1).send().await.unwrap().messages.unwrap();
    change(handle(&taken[0]), 600).await.unwrap();
    assert_eq!(code(change(handle(&visible[0]), 30).await), "InvalidParameterValue");
    assert_eq!(code(change(handle(&taken[0]), 43_201).await), "InvalidParameterValue");
    assert_eq!(code(change("garbage", 1).await), "ReceiptHandleIsInvalid");
    // It would have come back after its first second.
    assert!(receive_within(&sqs, &url, 2).await.is_empty());
    let entry = |id: &str, handle: &str| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.visibility_timeout(0).build().unwrap()
    };
    let batch = sqs.change_message_visibility_batch().queue_url(&url);
    let changed = batch.entries(entry("1", handle(&taken[0]))).entries(entry("2", "garbage")).send().await.unwrap();
    assert_eq!((changed.successful()[0].id(), changed.failed()[0].id()), ("1", "2"));
    assert_eq!(bodies(&receive(&sqs, &url).await), ["x"]);
}

#[tokio::test]
async fn messages_come_about_in_the_order_of_their_sending() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create(&sqs, "q", &[]).await;
    for n in 0..10 {
        send(&sqs, &url, &n.to_string()).await;
    }
    assert_eq!(bodies(&receive(&sqs, &url).await), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert!(receive(&sqs, &url).await.is_empty());
}
