//! Writes an object of unknown length, a part at a time.

use std::sync::Arc;

use anyhow::Context;
use aws_sdk_s3::types::CompletedPart;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::Storage;
use crate::metrics::Held;

const MIB: u64 = 1024 * 1024;
/// Parts have this size unless more than [`MAX_PARTS`] of them would be needed.
const PART_BYTES: u64 = 8 * MIB;
/// The largest part: one that is filled and one that is sent fit the memory of an upload, 48 MiB.
const MAX_PART_BYTES: u64 = 24 * MIB;
/// What one upload keeps in memory at the usual part size: one part that is filled, three that are sent.
const BUFFERED: u64 = 4 * PART_BYTES;
/// The most parts of one upload (S3 API, UploadPart).
const MAX_PARTS: u64 = 10_000;

/// The largest object that a writer can make.
pub const MOST_BYTES: u64 = MAX_PARTS * MAX_PART_BYTES;

/// An object that is being written. Dropping it stops the parts that are on their way; what S3 has
/// by then is removed by [`Storage::discard`].
pub struct Writer {
    storage: Storage,
    key: Arc<str>,
    part_bytes: usize,
    at_once: usize,
    buffer: BytesMut,
    held: Held,
    size: u64,
    upload_id: Option<Arc<str>>,
    sent: i32,
    sending: JoinSet<anyhow::Result<CompletedPart>>,
    done: Vec<CompletedPart>,
}

impl Writer {
    /// Nothing reaches S3 before the first part is full. No more than `at_most` bytes will come.
    pub fn new(storage: Storage, key: String, at_most: u64) -> Self {
        let part_bytes = part_bytes(at_most);
        Self {
            storage,
            key: key.into(),
            part_bytes: part_bytes as usize,
            at_once: (BUFFERED / part_bytes).saturating_sub(1).max(1) as usize,
            buffer: BytesMut::with_capacity(part_bytes.min(at_most) as usize),
            held: Held::default(),
            size: 0,
            upload_id: None,
            sent: 0,
            sending: JoinSet::new(),
            done: Vec::new(),
        }
    }

    /// How many bytes were written.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The id of the upload in parts, once there is one.
    pub fn upload_id(&self) -> Option<&str> {
        self.upload_id.as_deref()
    }

    /// Adds bytes; waits while as many parts are on their way as may be.
    pub async fn write(&mut self, mut chunk: Bytes) -> anyhow::Result<()> {
        self.size += chunk.len() as u64;
        self.held.add(chunk.len() as u64);
        while !chunk.is_empty() {
            // A full part is sent only when more follows: a file of just one part needs no upload in parts.
            if self.buffer.len() == self.part_bytes {
                let next = BytesMut::with_capacity(0);
                let full = std::mem::replace(&mut self.buffer, next).freeze();
                self.send(full).await?;
                self.buffer.reserve(self.part_bytes);
            }
            let room = self.part_bytes - self.buffer.len();
            self.buffer.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
        }
        Ok(())
    }

    /// Makes what was written an object. Nothing is visible under its key before.
    pub async fn finish(mut self) -> anyhow::Result<u64> {
        let rest = std::mem::take(&mut self.buffer).freeze();
        let Some(upload_id) = self.upload_id.clone() else {
            self.storage.put(&self.key, rest).await?;
            return Ok(self.size);
        };
        self.send(rest).await?;
        while !self.sending.is_empty() {
            self.reap().await?;
        }
        self.done.sort_by_key(CompletedPart::part_number);
        let parts = std::mem::take(&mut self.done);
        self.storage.complete(&self.key, &upload_id, parts, self.size).await?;
        Ok(self.size)
    }

    async fn send(&mut self, part: Bytes) -> anyhow::Result<()> {
        let upload_id = match &self.upload_id {
            Some(upload_id) => upload_id.clone(),
            None => self.upload_id.insert(self.storage.begin(&self.key).await?.into()).clone(),
        };
        while self.sending.len() >= self.at_once {
            self.reap().await?;
        }
        self.sent += 1;
        let (storage, key, number) = (self.storage.clone(), self.key.clone(), self.sent);
        let held = self.held.split(part.len() as u64);
        self.sending.spawn(async move {
            let _held = held;
            storage.part(&key, &upload_id, number, part).await
        });
        Ok(())
    }

    async fn reap(&mut self) -> anyhow::Result<()> {
        if let Some(part) = self.sending.join_next().await {
            self.done.push(part.context("the task that sends a part died")??);
        }
        Ok(())
    }
}

fn part_bytes(at_most: u64) -> u64 {
    at_most.div_ceil(MAX_PARTS).next_multiple_of(MIB).max(PART_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_every_size() {
        assert_eq!(part_bytes(1), PART_BYTES);
        assert_eq!(part_bytes(MAX_PARTS * PART_BYTES), PART_BYTES);
        assert_eq!(part_bytes(MAX_PARTS * PART_BYTES + 1), PART_BYTES + MIB);
        assert_eq!(part_bytes(MOST_BYTES), MAX_PART_BYTES);
    }
}
