use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_sqs::{Client, types::QueueAttributeName as Name};

use super::{attributes, create, receive};
use crate::crash::Process;

/// Sends until the process is gone, and notes each message that was acknowledged.
async fn write(sqs: Client, url: String, writer: String, acknowledged: Arc<Mutex<Vec<String>>>) {
    for n in 0.. {
        let body = format!("{writer}/{n}");
        if sqs.send_message().queue_url(&url).message_body(&body).send().await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().push(body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_send_no_receive_and_no_delete() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let created = create(&Client::new(&process.config()), "q", &[(Name::VisibilityTimeout, "600")]).await;
    process.kill();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 1..4 {
        let process = Process::start(directory.path());
        let start = |writer| {
            let sqs = Client::new(&process.config());
            tokio::spawn(write(sqs, created.clone(), format!("{round}/{writer}"), acknowledged.clone()))
        };
        let writers: Vec<_> = (0..6).map(start).collect();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while acknowledged.lock().unwrap().len() < round * 37 {
            assert!(tokio::time::Instant::now() < deadline, "the writers got nowhere");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    let process = Process::start(directory.path());
    let sqs = Client::new(&process.config());
    let mut handles = HashMap::new();
    loop {
        let messages = receive(&sqs, &created).await;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let before = handles.insert(message.body.unwrap(), message.receipt_handle.unwrap());
            assert_eq!(before, None, "a message came twice");
        }
    }
    for body in acknowledged.lock().unwrap().iter() {
        assert!(handles.contains_key(body), "{body} was acknowledged and is gone");
    }
    let delete = async |process: &Process, handle: &str| {
        let sqs = Client::new(&process.config());
        sqs.delete_message().queue_url(&created).receipt_handle(handle).send().await.unwrap();
    };
    let handles: Vec<String> = handles.into_values().collect();
    let (now, later) = handles.split_at(20);
    for handle in now {
        delete(&process, handle).await;
    }
    process.kill();
    let process = Process::start(directory.path());
    let sqs = Client::new(&process.config());
    let shown = attributes(&sqs, &created).await;
    assert_eq!(shown["ApproximateNumberOfMessages"], "0");
    assert_eq!(shown["ApproximateNumberOfMessagesNotVisible"], later.len().to_string());
    delete(&process, &later[0]).await;
    let left = later.len() - 1;
    assert_eq!(attributes(&sqs, &created).await["ApproximateNumberOfMessagesNotVisible"], left.to_string());
}
