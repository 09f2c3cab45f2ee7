//! Starting over much data.

use std::{path::Path, time::Instant};

use anyhow::Context;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt, TryStreamExt, stream};

use crate::{cloud::Cloud, line};

const COUNT: usize = 100_000;
/// Requests at once while the store is filled.
const AT_ONCE: usize = 64;

/// Fills a store, kills it, and starts it again.
pub async fn measure(data: &Path) -> anyhow::Result<()> {
    let cloud = Cloud::local(data)?;
    let (s3, sqs) = (cloud.s3(), cloud.sqs());
    s3.create_bucket().bucket("many").send().await?;
    let url = sqs.create_queue().queue_name("many").send().await?.queue_url.context("no queue URL")?;
    let objects = stream::iter(0..COUNT).map(anyhow::Ok).try_for_each_concurrent(AT_ONCE, |number| {
        let put = s3.put_object().bucket("many").key(format!("{number:06}")).body(ByteStream::from_static(b"x"));
        async move { put.send().await.map(|_| ()).map_err(Into::into) }
    });
    let messages = stream::iter(0..COUNT / 10).map(anyhow::Ok).try_for_each_concurrent(AT_ONCE, |_| {
        let entry = |id: usize| SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body("x").build();
        let entries = (0..10).map(entry).collect::<Result<Vec<_>, _>>();
        let send = entries.map(|entries| sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)));
        async move { send?.send().await.map(|_| ()).map_err(Into::into) }
    });
    futures::try_join!(objects, messages)?;
    drop(cloud);
    let start = Instant::now();
    let cloud = Cloud::local(data)?;
    let took = start.elapsed().as_secs_f64();
    line("start after kill -9 over 100,000 objects and messages", &format!("{took:.2} s"), "≤ 2 s");
    line("memory after that", &format!("{} MiB", cloud.resident_mib()?), "");
    Ok(())
}
