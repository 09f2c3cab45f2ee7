//! Bytes of objects.

use std::{
    io::{Read, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::Context;
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use futures::future::try_join_all;

use crate::{cloud::Cloud, line};

const MIB: usize = 1024 * 1024;
const OBJECT: usize = 64 * MIB;
const PART: usize = 8 * MIB;
const PARTS: usize = 128;
const CLIENTS: usize = 8;
/// Of so many tries the fastest counts: disks have bad moments.
const TRIES: usize = 5;

/// PUT and GET of one object, against a plain copy of a file of its size that is synced.
pub async fn throughput(cloud: &Cloud, directory: &Path) -> anyhow::Result<()> {
    let s3 = cloud.s3();
    s3.create_bucket().bucket("bench").send().await?;
    let bytes: Vec<u8> = (0..OBJECT).map(|n| (n % 251) as u8).collect();
    let (mut file, mut memory, mut get) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut copy, mut read) = (f64::MAX, f64::MAX);
    for _ in 0..TRIES {
        let (written, again) = plain(directory, 0, &bytes)?;
        (copy, read) = (copy.min(written), read.min(again));
        let body = ByteStream::from_path(directory.join("plain-0")).await?;
        file = file.min(put(&s3, 0, body).await?);
        memory = memory.min(put(&s3, 0, ByteStream::from(bytes.clone())).await?);
        let start = Instant::now();
        let mut body = s3.get_object().bucket("bench").key("0").send().await?.body;
        let mut length = 0;
        while let Some(chunk) = body.try_next().await? {
            length += chunk.len();
        }
        anyhow::ensure!(length == OBJECT, "{length} bytes came back");
        get = get.min(start.elapsed().as_secs_f64());
    }
    let show = |seconds: f64| format!("{:.0} MiB/s, ratio {:.2}", rate(1, seconds), copy / seconds);
    line("plain copy of 64 MiB with fsync", &format!("{:.0} MiB/s", rate(1, copy)), "");
    line("PUT of 64 MiB from a file (checksum behind it)", &show(file), "ratio ≥ 0.7");
    line("PUT of 64 MiB from memory (hashed and signed first)", &show(memory), "");
    line("plain read of 64 MiB (from the cache)", &format!("{:.0} MiB/s", rate(1, read)), "");
    line("GET of 64 MiB, ratio to the copy", &show(get), "ratio ≥ 0.7");
    Ok(())
}

/// Several PUTs at once, against as many plain copies at once.
pub async fn throughput_together(cloud: &Cloud, directory: &Path) -> anyhow::Result<()> {
    let bytes: Arc<Vec<u8>> = Arc::new((0..OBJECT).map(|n| (n % 251) as u8).collect());
    for count in [2, 4] {
        let (mut copies, mut puts) = (f64::MAX, f64::MAX);
        for _ in 0..TRIES {
            let copy = |n| {
                let (directory, bytes) = (directory.to_owned(), bytes.clone());
                tokio::task::spawn_blocking(move || plain(&directory, n, &bytes))
            };
            // The slowest of them; that each writes its source first does not count.
            let times = try_join_all((0..count).map(copy)).await?;
            let slowest = times.into_iter().map(|time| Ok(time?.0)).collect::<anyhow::Result<Vec<f64>>>()?;
            copies = copies.min(slowest.into_iter().fold(0.0, f64::max));
            let start = Instant::now();
            let put = |n| {
                let (s3, path) = (cloud.s3(), directory.join(format!("plain-{n}")));
                async move { put(&s3, n, ByteStream::from_path(path).await?).await }
            };
            try_join_all((0..count).map(put)).await?;
            puts = puts.min(start.elapsed().as_secs_f64());
        }
        line(&format!("{count} plain copies at once"), &format!("{:.0} MiB/s", rate(count, copies)), "");
        let figure = format!("{:.0} MiB/s, ratio {:.2}", rate(count, puts), copies / puts);
        line(&format!("{count} PUTs from files at once"), &figure, "");
    }
    Ok(())
}

/// MiB a second of so many objects.
fn rate(objects: usize, seconds: f64) -> f64 {
    (objects * OBJECT / MIB) as f64 / seconds
}

/// Seconds of one PUT.
async fn put(s3: &aws_sdk_s3::Client, number: usize, body: ByteStream) -> anyhow::Result<f64> {
    let start = Instant::now();
    s3.put_object().bucket("bench").key(number.to_string()).body(body).send().await?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds to write the bytes to a file and sync it, and to read it again.
fn plain(directory: &Path, number: usize, bytes: &[u8]) -> anyhow::Result<(f64, f64)> {
    let (from, to) = (directory.join(format!("plain-{number}")), directory.join(format!("copy-{number}")));
    std::fs::write(&from, bytes)?;
    let start = Instant::now();
    let (mut input, mut output) = (std::fs::File::open(&from)?, std::fs::File::create(&to)?);
    let mut block = vec![0; 256 * 1024];
    loop {
        let length = input.read(&mut block)?;
        if length == 0 {
            break;
        }
        output.write_all(&block[..length])?;
    }
    output.sync_all()?;
    let written = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut file = std::fs::File::open(&to)?;
    while file.read(&mut block)? > 0 {}
    Ok((written, start.elapsed().as_secs_f64()))
}

/// One GiB in parts from several clients: the server's peak memory, and how long the end takes.
pub async fn parts(cloud: &Cloud) -> anyhow::Result<()> {
    let s3 = cloud.s3();
    s3.create_bucket().bucket("bench").send().await?;
    let upload = s3.create_multipart_upload().bucket("bench").key("big").send().await?;
    let id = upload.upload_id.context("no upload id")?;
    let body: &'static [u8] = Box::leak(vec![7; PART].into_boxed_slice());
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (s3, id) = (cloud.s3(), id.clone());
        let numbers = (1..=PARTS).filter(move |number| number % CLIENTS == client);
        async move { tokio::spawn(async move { send(s3, id, body, numbers).await }).await? }
    });
    let mut parts: Vec<CompletedPart> = try_join_all(clients).await?.into_iter().flatten().collect();
    let rate = (PART * PARTS / MIB) as f64 / start.elapsed().as_secs_f64();
    line("1 GiB in parts of 8 MiB from 8 clients", &format!("{rate:.0} MiB/s"), "");
    parts.sort_by_key(|part| part.part_number());
    let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let start = Instant::now();
    let complete = s3.complete_multipart_upload().bucket("bench").key("big").upload_id(&id).multipart_upload(upload);
    complete.send().await?;
    line("CompleteMultipartUpload of 1 GiB", &format!("{:.0} ms", start.elapsed().as_secs_f64() * 1000.0), "≤ 1000 ms");
    line("peak memory over all that", &format!("{} MiB", cloud.peak_mib()?), "≤ 64 MiB");
    Ok(())
}

async fn send(
    s3: aws_sdk_s3::Client,
    id: String,
    body: &'static [u8],
    numbers: impl Iterator<Item = usize>,
) -> anyhow::Result<Vec<CompletedPart>> {
    let mut parts = Vec::new();
    for number in numbers {
        let number = i32::try_from(number)?;
        let part = s3.upload_part().bucket("bench").key("big").upload_id(&id).part_number(number);
        let sent = part.body(ByteStream::from_static(body)).send().await?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
        parts.push(part.set_checksum_crc32(sent.checksum_crc32).build());
    }
    Ok(parts)
}
