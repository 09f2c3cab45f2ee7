//! How many messages a second are sent, received and deleted. Only a release build tells:
//! `cargo nextest run --release -p local-cloud --run-ignored only -E 'test(speed)' --no-capture`

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry},
};
use futures::future::join_all;

use super::{bodies, create, handle, receive};
use crate::crash::Process;

const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(5);
/// Messages a second that went all the way.
const HOLD: f64 = 3000.0;

/// One message at a time; gives back how many.
async fn one_by_one(sqs: Client, url: String, until: Instant) -> usize {
    let mut done = 0;
    while Instant::now() < until {
        sqs.send_message().queue_url(&url).message_body("a message of some length").send().await.unwrap();
        let received = sqs.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap_or_default();
        for message in &received {
            sqs.delete_message().queue_url(&url).receipt_handle(handle(message)).send().await.unwrap();
        }
        done += received.len();
    }
    done
}

/// Ten at a time.
async fn by_ten(sqs: Client, url: String, until: Instant) -> usize {
    let mut done = 0;
    let entry = |n: usize| {
        let entry = SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body("a message of some length");
        entry.build().unwrap()
    };
    while Instant::now() < until {
        let entries = (0..10).map(entry).collect();
        sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
        let received = receive(&sqs, &url).await;
        let delete = |(n, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(format!("{n}"));
            entry.receipt_handle(handle(message)).build().unwrap()
        };
        let entries: Vec<_> = received.iter().enumerate().map(delete).collect();
        if !entries.is_empty() {
            sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
        }
        done += bodies(&received).len();
    }
    done
}

#[ignore = "it measures; see above"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_clients_reach_the_speed_to_hold() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let sqs = Client::new(&process.config());
    let url = create(&sqs, "q", &[]).await;
    let rate = |done: Vec<usize>| done.iter().sum::<usize>() as f64 / TIME.as_secs_f64();
    let until = Instant::now() + TIME;
    let single =
        rate(join_all((0..CLIENTS).map(|_| one_by_one(Client::new(&process.config()), url.clone(), until))).await);
    let until = Instant::now() + TIME;
    let ten = rate(join_all((0..CLIENTS).map(|_| by_ten(Client::new(&process.config()), url.clone(), until))).await);
    eprintln!("messages a second, sent, received and deleted: {single:.0} one by one, {ten:.0} by ten");
    assert!(ten >= HOLD, "{ten:.0} a second");
}
