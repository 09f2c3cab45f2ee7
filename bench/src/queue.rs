//! Messages through a queue.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry},
};
use futures::future::try_join_all;

use crate::{cloud::Cloud, lean::Lean, line};

const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(5);
const BODY: &str = "a message of some hundred bytes, as services send them: {\"kind\":\"transcode_request\",\"v\":1}";
/// Long polls that are woken.
const WAKES: usize = 100;

/// Send, receive and delete by eight clients, message by message and in batches.
pub async fn measure(name: &str, cloud: &Cloud, wanted: &str) -> anyhow::Result<()> {
    let sqs = cloud.sqs();
    for (batch, how, wanted) in [(1, "one by one", wanted), (10, "in batches of 10", "")] {
        let url = create(&sqs, &format!("q-{batch}")).await?;
        let clients = (0..CLIENTS).map(|_| work(cloud.sqs(), url.clone(), batch, Instant::now() + TIME));
        run(&format!("{name}: send + receive + delete, {how}"), cloud, clients, wanted).await?;
    }
    Ok(())
}

/// The same, one by one, by clients that cost next to nothing themselves.
pub async fn measure_lean(cloud: &Cloud) -> anyhow::Result<()> {
    let url = create(&cloud.sqs(), "lean").await?;
    let clients = try_join_all((0..CLIENTS).map(|_| Lean::new(cloud))).await?;
    let until = Instant::now() + TIME;
    let clients = clients.into_iter().map(|client| client.work(url.clone(), BODY, until));
    run("lean client: send + receive + delete, one by one", cloud, clients, "≥ 3,000/s").await
}

async fn create(sqs: &Client, name: &str) -> anyhow::Result<String> {
    sqs.create_queue().queue_name(name).send().await?.queue_url.context("no queue URL")
}

/// Lets the clients work beside one another; prints how many messages they took through in a second, and the
/// processor time that the server spent on each.
async fn run<F>(what: &str, cloud: &Cloud, clients: impl Iterator<Item = F>, wanted: &str) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<usize>> + Send + 'static,
{
    let (start, before) = (Instant::now(), cloud.processor_seconds()?);
    let clients = clients.map(|client| async { tokio::spawn(client).await? });
    let done: usize = try_join_all(clients).await?.into_iter().sum();
    let rate = done as f64 / start.elapsed().as_secs_f64();
    let server = (cloud.processor_seconds()? - before) * 1e6 / done as f64;
    line(what, &format!("{rate:.0}/s, server {server:.0} µs each"), wanted);
    Ok(())
}

/// How many messages one client took through.
async fn work(sqs: Client, url: String, batch: usize, until: Instant) -> anyhow::Result<usize> {
    let mut done = 0;
    while Instant::now() < until {
        done += if batch == 1 { single(&sqs, &url).await? } else { several(&sqs, &url, batch).await? };
    }
    Ok(done)
}

async fn single(sqs: &Client, url: &str) -> anyhow::Result<usize> {
    sqs.send_message().queue_url(url).message_body(BODY).send().await?;
    let received = sqs.receive_message().queue_url(url).send().await?;
    let mut done = 0;
    for message in received.messages.unwrap_or_default() {
        sqs.delete_message().queue_url(url).set_receipt_handle(message.receipt_handle).send().await?;
        done += 1;
    }
    Ok(done)
}

async fn several(sqs: &Client, url: &str, batch: usize) -> anyhow::Result<usize> {
    let entry = |id: usize| SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(BODY).build();
    let entries = (0..batch).map(entry).collect::<Result<Vec<_>, _>>()?;
    sqs.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
    let received = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await?;
    let messages = received.messages.unwrap_or_default();
    if messages.is_empty() {
        return Ok(0);
    }
    let entry = |(id, message): (usize, aws_sdk_sqs::types::Message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
        entry.set_receipt_handle(message.receipt_handle).build()
    };
    let entries = messages.into_iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
    let deleted = sqs.delete_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
    ensure!(deleted.failed().is_empty(), "a message could not be deleted");
    Ok(deleted.successful().len())
}

/// How soon a long poll answers after the send that it waits for.
pub async fn wake(cloud: &Cloud) -> anyhow::Result<()> {
    let (sqs, sender) = (cloud.sqs(), cloud.sqs());
    let url = sqs.create_queue().queue_name("wake").send().await?.queue_url.context("no queue URL")?;
    let mut times = Vec::new();
    for _ in 0..WAKES {
        let poll = sqs.receive_message().queue_url(&url).wait_time_seconds(20).send();
        let poll = tokio::spawn(async move { (poll.await, Instant::now()) });
        // The poll is to wait already.
        tokio::time::sleep(Duration::from_millis(30)).await;
        sender.send_message().queue_url(&url).message_body(BODY).send().await?;
        let sent = Instant::now();
        let (received, at) = poll.await?;
        let message = received?.messages.unwrap_or_default().pop().context("the poll brought nothing")?;
        times.push(at.saturating_duration_since(sent));
        sqs.delete_message().queue_url(&url).set_receipt_handle(message.receipt_handle).send().await?;
    }
    times.sort();
    let p50 = times[WAKES / 2].as_secs_f64() * 1000.0;
    let p99 = times[WAKES * 99 / 100].as_secs_f64() * 1000.0;
    line("long poll, from the answered send", &format!("p50 {p50:.1} ms, p99 {p99:.1} ms"), "p50 ≤ 10 ms");
    Ok(())
}
