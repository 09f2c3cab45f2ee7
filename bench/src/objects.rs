//! Bytes of objects.

use std::{
    io::{Read, Write},
    path::Path,
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
    let (mut put, mut get, mut copy, mut read) = (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..TRIES {
        let (written, again) = plain(directory, &bytes)?;
        (copy, read) = (copy.min(written), read.min(again));
        let start = Instant::now();
        s3.put_object().bucket("bench").key("k").body(ByteStream::from(bytes.clone())).send().await?;
        put = put.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let mut body = s3.get_object().bucket("bench").key("k").send().await?.body;
        let mut length = 0;
        while let Some(chunk) = body.try_next().await? {
            length += chunk.len();
        }
        anyhow::ensure!(length == OBJECT, "{length} bytes came back");
        get = get.min(start.elapsed().as_secs_f64());
    }
    let rate = |seconds: f64| (OBJECT / MIB) as f64 / seconds;
    line("plain copy of 64 MiB with fsync", &format!("{:.0} MiB/s", rate(copy)), "");
    line("PUT of 64 MiB", &format!("{:.0} MiB/s, ratio {:.2}", rate(put), copy / put), "ratio ≥ 0.7");
    line("plain read of 64 MiB (from the cache)", &format!("{:.0} MiB/s", rate(read)), "");
    line("GET of 64 MiB", &format!("{:.0} MiB/s, ratio {:.2} to the copy", rate(get), copy / get), "ratio ≥ 0.7");
    Ok(())
}

/// Seconds to write the bytes to a file and sync it, and to read it again.
fn plain(directory: &Path, bytes: &[u8]) -> anyhow::Result<(f64, f64)> {
    let (from, to) = (directory.join("plain"), directory.join("plain-copy"));
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
