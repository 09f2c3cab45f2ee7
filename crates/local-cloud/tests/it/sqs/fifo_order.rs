//! FIFO queues: the order within a group, and the lock on it.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{Message, MessageSystemAttributeName as System, QueueAttributeName as Name},
};
use tokio::time::timeout;

use super::{
    SOON, attributes, bodies, code, create,
    fifo::{create_fifo, send_to},
    handle, receive, receive_within,
};
use crate::world::World;

/// A FIFO queue with messages `a1`, `a2`, `a3` in the group `a` and `b1` in `b`.
async fn two_groups(sqs: &Client, attributes: &[(Name, &str)]) -> String {
    let url = create_fifo(sqs, "q.fifo", attributes).await;
    for body in ["a1", "a2", "a3", "b1"] {
        send_to(sqs, &url, &body[..1], body, body).await;
    }
    url
}

async fn take(sqs: &Client, url: &str, most: i32) -> Vec<Message> {
    let request = sqs.receive_message().queue_url(url).max_number_of_messages(most);
    request.send().await.unwrap().messages.unwrap_or_default()
}

async fn delete(sqs: &Client, url: &str, message: &Message) {
    sqs.delete_message().queue_url(url).receipt_handle(handle(message)).send().await.unwrap();
}

async fn hide(sqs: &Client, url: &str, message: &Message, seconds: i32) {
    let request = sqs.change_message_visibility().queue_url(url).receipt_handle(handle(message));
    request.visibility_timeout(seconds).send().await.unwrap();
}

#[tokio::test]
async fn a_group_waits_until_all_of_it_in_flight_is_deleted() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = two_groups(&sqs, &[]).await;
    let first = take(&sqs, &url, 2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["b1"]);
    assert!(take(&sqs, &url, 10).await.is_empty());
    delete(&sqs, &url, &first[0]).await;
    assert!(take(&sqs, &url, 10).await.is_empty(), "a2 is still in flight");
    delete(&sqs, &url, &first[1]).await;
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["a3"]);
}

#[tokio::test]
async fn what_is_given_back_comes_again_before_what_follows() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = two_groups(&sqs, &[]).await;
    let first = take(&sqs, &url, 2).await;
    hide(&sqs, &url, &first[0], 0).await;
    // Not even a1, as long as a2 may be worked on.
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["b1"]);
    hide(&sqs, &url, &first[1], 0).await;
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["a1", "a2", "a3"]);
}

#[tokio::test]
async fn the_end_of_a_visibility_timeout_and_a_delete_wake_a_poll() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[(Name::VisibilityTimeout, "2")]).await;
    send_to(&sqs, &url, "g", "1", "one").await;
    send_to(&sqs, &url, "g", "2", "two").await;
    assert_eq!(bodies(&take(&sqs, &url, 1).await), ["one"]);
    let started = Instant::now();
    let again = timeout(SOON, receive_within(&sqs, &url, 20)).await.expect("the poll was not woken");
    assert_eq!(bodies(&again), ["one", "two"]);
    assert!(started.elapsed() >= Duration::from_millis(1500), "{:?}", started.elapsed());
    for message in &again {
        hide(&sqs, &url, message, 600).await;
    }
    send_to(&sqs, &url, "g", "3", "three").await;
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { receive_within(&sqs, &url, 20).await })
    };
    for _ in 0..20 {
        attributes(&sqs, &url).await;
    }
    assert!(!waiting.is_finished());
    for message in &again {
        delete(&sqs, &url, message).await;
    }
    let woken = timeout(SOON, waiting).await.expect("the poll was not woken").unwrap();
    assert_eq!(bodies(&woken), ["three"]);
}

#[tokio::test]
async fn a_restart_keeps_the_order_and_the_lock() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = two_groups(&sqs, &[(Name::VisibilityTimeout, "600")]).await;
    let first = take(&sqs, &url, 1).await;
    let world = world.restart().await;
    let sqs = world.sqs();
    let url = sqs.get_queue_url().queue_name("q.fifo").send().await.unwrap().queue_url.unwrap();
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["b1"]);
    delete(&sqs, &url, &first[0]).await;
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["a2", "a3"]);
}

#[tokio::test]
async fn a_handle_is_good_only_while_its_message_is_hidden() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    send_to(&sqs, &url, "a", "a1", "a1").await;
    let taken = take(&sqs, &url, 1).await;
    hide(&sqs, &url, &taken[0], 0).await;
    let late = || sqs.delete_message().queue_url(&url).receipt_handle(handle(&taken[0])).send();
    assert_eq!(code(late().await), "InvalidParameterValue");
    let again = take(&sqs, &url, 1).await;
    assert_eq!(bodies(&again), ["a1"]);
    assert_eq!(code(late().await), "InvalidParameterValue");
    delete(&sqs, &url, &again[0]).await;
    // It is gone: deleting twice is fine.
    delete(&sqs, &url, &again[0]).await;
}

#[tokio::test]
async fn dead_letters_of_a_fifo_queue_go_to_a_fifo_queue_in_order() {
    let world = World::start().await;
    let sqs = world.sqs();
    let dead = create_fifo(&sqs, "dead.fifo", &[]).await;
    let standard = create(&sqs, "dead", &[]).await;
    let redrive = async |url: &str| {
        let arn = &attributes(&sqs, url).await["QueueArn"];
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#)
    };
    let url = two_groups(&sqs, &[(Name::VisibilityTimeout, "0"), (Name::RedrivePolicy, &redrive(&dead).await)]).await;
    let set = async |url: &str, policy: &str| {
        sqs.set_queue_attributes().queue_url(url).attributes(Name::RedrivePolicy, policy).send().await
    };
    assert_eq!(code(set(&url, &redrive(&standard).await).await), "InvalidParameterValue");
    assert_eq!(code(set(&standard, &redrive(&dead).await).await), "InvalidParameterValue");
    assert_eq!(bodies(&take(&sqs, &url, 2).await), ["a1", "a2"]);
    // The two give way to the rest of their group.
    assert_eq!(bodies(&take(&sqs, &url, 10).await), ["b1", "a3"]);
    assert!(take(&sqs, &url, 10).await.is_empty());
    let moved = receive(&sqs, &dead).await;
    assert_eq!(bodies(&moved), ["a1", "a2", "a3", "b1"]);
    let shown = moved[0].attributes().unwrap();
    assert_eq!(shown[&System::MessageGroupId], "a");
    assert_eq!(shown[&System::ApproximateReceiveCount], "2");
    assert_eq!(shown[&System::DeadLetterQueueSourceArn], attributes(&sqs, &url).await["QueueArn"]);
}

#[tokio::test]
async fn a_new_delay_counts_for_what_is_in_the_queue_already() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = two_groups(&sqs, &[(Name::DelaySeconds, "900")]).await;
    assert!(take(&sqs, &url, 10).await.is_empty());
    assert_eq!(attributes(&sqs, &url).await["ApproximateNumberOfMessagesDelayed"], "4");
    let waiting = {
        let (sqs, url) = (sqs.clone(), url.clone());
        tokio::spawn(async move { receive_within(&sqs, &url, 20).await })
    };
    for _ in 0..20 {
        attributes(&sqs, &url).await;
    }
    sqs.set_queue_attributes().queue_url(&url).attributes(Name::DelaySeconds, "0").send().await.unwrap();
    let woken = timeout(SOON, waiting).await.expect("the poll was not woken").unwrap();
    assert_eq!(bodies(&woken), ["a1", "a2", "a3", "b1"]);
}

#[tokio::test]
async fn a_receive_is_repeated_under_its_attempt_id_until_a_message_is_touched() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = two_groups(&sqs, &[]).await;
    let attempt = async |sqs: &Client, id: &str, most: i32| {
        let request = sqs.receive_message().queue_url(&url).max_number_of_messages(most);
        request.receive_request_attempt_id(id).send().await.unwrap().messages.unwrap_or_default()
    };
    let first = attempt(&sqs, "one", 2).await;
    assert_eq!(bodies(&first), ["a1", "a2"]);
    let again = attempt(&sqs, "one", 2).await;
    assert_eq!(bodies(&again), ["a1", "a2"]);
    assert_eq!(handle(&first[0]), handle(&again[0]));
    assert_eq!(bodies(&attempt(&sqs, "two", 10).await), ["b1"]);
    let world = world.restart().await;
    let sqs = world.sqs();
    assert_eq!(bodies(&attempt(&sqs, "one", 2).await), ["a1", "a2"]);
    delete(&sqs, &url, &first[0]).await;
    assert!(attempt(&sqs, "one", 2).await.is_empty());
    delete(&sqs, &url, &first[1]).await;
    assert_eq!(bodies(&attempt(&sqs, "one", 2).await), ["a3"]);
    let shown = sqs.receive_message().queue_url(&url).receive_request_attempt_id("one");
    let shown = shown.message_system_attribute_names(System::All).send().await.unwrap().messages.unwrap();
    assert_eq!(shown[0].attributes().unwrap()[&System::ApproximateReceiveCount], "1");
}
