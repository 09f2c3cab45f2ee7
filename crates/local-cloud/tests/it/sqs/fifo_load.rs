//! FIFO queues with many senders and receivers at one time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::{Client, types::MessageSystemAttributeName as System};
use futures::future::join_all;

use super::{
    fifo::{create_fifo, send_to},
    handle, receive_within,
};
use crate::world::World;

const GROUPS: usize = 5;
const EACH: usize = 30;

/// What was received of each group.
type Seen = Arc<Mutex<HashMap<String, Vec<usize>>>>;

async fn produce(sqs: Client, url: String, group: usize) {
    for n in 0..EACH {
        let (group, n) = (group.to_string(), n.to_string());
        send_to(&sqs, &url, &group, &format!("{group}-{n}"), &n).await;
    }
}

async fn consume(sqs: Client, url: String, seen: Seen) {
    while seen.lock().unwrap().values().map(Vec::len).sum::<usize>() < GROUPS * EACH {
        for message in receive_within(&sqs, &url, 1).await {
            let group = message.attributes().unwrap()[&System::MessageGroupId].clone();
            // Before the delete, after which the next of the group may be elsewhere.
            let n = message.body().unwrap().parse().unwrap();
            seen.lock().unwrap().entry(group).or_default().push(n);
            sqs.delete_message().queue_url(&url).receipt_handle(handle(&message)).send().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_group_comes_in_order_and_once() {
    let world = World::start().await;
    let sqs = world.sqs();
    let url = create_fifo(&sqs, "q.fifo", &[]).await;
    let seen = Seen::default();
    let producers = join_all((0..GROUPS).map(|group| tokio::spawn(produce(sqs.clone(), url.clone(), group))));
    let start = |_| tokio::spawn(consume(sqs.clone(), url.clone(), seen.clone()));
    let consumers = join_all((0..4).map(start));
    let both = async { producers.await.into_iter().chain(consumers.await).for_each(|task| task.unwrap()) };
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("messages stand still");
    let seen = seen.lock().unwrap();
    for group in 0..GROUPS {
        assert_eq!(seen[&group.to_string()], (0..EACH).collect::<Vec<_>>(), "group {group}");
    }
}
