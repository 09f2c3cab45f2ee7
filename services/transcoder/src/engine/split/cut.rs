//! Cuts the one decoded stream into overlapping segments, each a file of samples.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What is read at a time, at most.
pub const CHUNK: usize = 1024 * 1024;

/// How the stream is cut; all but the bytes in samples of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Bytes of one sample of all channels.
    pub sample_bytes: u64,
    /// One segment, without what overlaps; more than overlaps.
    pub own: u64,
    /// What a segment has before its own: the coder's sense of how many bits it may spend settles over it.
    pub before: u64,
    /// What a segment has behind its own, so that a seam may lie there too.
    pub after: u64,
}

/// A piece of the stream on disk. The file goes when this is dropped.
#[derive(Debug)]
pub struct Segment {
    /// Counts from 0.
    pub number: u64,
    /// The samples, as they came.
    pub path: PathBuf,
    /// So many segments may lie on disk at once.
    slot: OwnedSemaphorePermit,
}

impl Segment {
    /// Counts the segment elsewhere from now on, so that another may take its place.
    pub fn count_as(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = slot;
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // The job's directory goes soon, with whatever cannot be removed now.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Grid {
    /// The first sample that a segment has, with the overlap.
    pub fn first(&self, number: u64) -> u64 {
        (number * self.own).saturating_sub(self.before)
    }

    fn start(&self, number: u64) -> u64 {
        self.first(number) * self.sample_bytes
    }

    fn end(&self, number: u64) -> u64 {
        ((number + 1) * self.own + self.after) * self.sample_bytes
    }
}

/// The least number of which both are a part.
pub fn common_multiple(a: u64, b: u64) -> u64 {
    let (mut larger, mut smaller) = (a, b);
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller);
    }
    a / larger * b
}

/// A segment that is being written.
struct Open {
    segment: Segment,
    file: File,
}

/// Reads the stream to its end and sends each segment when it is whole. Waits while `slots` are taken, and whoever
/// writes the stream waits with it. Gives back how many samples there were.
///
/// It blocks, on a thread for blocking calls: handing each piece of so much data to another thread, as asynchronous
/// files do, was measured to cost a tenth of the encoders' own processor time.
pub fn cut(
    mut stream: impl Read,
    grid: Grid,
    directory: &Path,
    slots: &Arc<Semaphore>,
    ready: &mpsc::Sender<Segment>,
) -> anyhow::Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut open = VecDeque::from([start(directory, 0, slots)?]);
    let (mut next, mut at) = (1, 0);
    loop {
        let read = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("cannot read what is decoded"),
        };
        let end = at + read as u64;
        while grid.start(next) < end {
            open.push_back(start(directory, next, slots)?);
            next += 1;
        }
        for one in &mut open {
            let number = one.segment.number;
            let (from, to) = (grid.start(number).max(at), grid.end(number).min(end));
            if from < to {
                let part = &buffer[usize::try_from(from - at)?..usize::try_from(to - at)?];
                one.file.write_all(part).context("cannot write a scratch file")?;
            }
        }
        while open.front().is_some_and(|first| grid.end(first.segment.number) <= end)
            && let Some(whole) = open.pop_front()
        {
            send(whole, ready)?;
        }
        at = end;
    }
    // When the first of two is not whole, it has all that the second would have.
    match open.pop_front() {
        Some(last) if at > 0 => send(last, ready)?,
        _ => {}
    }
    Ok(at / grid.sample_bytes)
}

/// The name of a segment's samples in the job's directory.
pub fn segment_name(number: u64) -> String {
    format!("segment-{number}")
}

fn start(directory: &Path, number: u64, slots: &Arc<Semaphore>) -> anyhow::Result<Open> {
    let slot = Handle::current().block_on(slots.clone().acquire_owned())?;
    let path = directory.join(segment_name(number));
    let file = File::create(&path).context("cannot create a scratch file")?;
    Ok(Open { segment: Segment { number, path, slot }, file })
}

fn send(Open { segment, .. }: Open, ready: &mpsc::Sender<Segment>) -> anyhow::Result<()> {
    ready.blocking_send(segment).context("nobody encodes any more")
}

#[cfg(test)]
mod tests {
    use tokio::task::spawn_blocking;

    use super::*;

    const FRAME: u64 = 1024;
    const GRID: Grid = Grid { sample_bytes: 2, own: 100 * FRAME, before: 32 * FRAME, after: 8 * FRAME };

    /// The first and last sample of each segment, and the number of all.
    async fn segments(grid: Grid, samples: u64) -> (Vec<(u16, u16)>, u64) {
        let directory = tempfile::tempdir().unwrap();
        let stream: Vec<u8> = (0..samples).flat_map(|sample| ((sample / FRAME) as u16).to_be_bytes()).collect();
        let (sender, mut receiver) = mpsc::channel(1);
        let slots = Arc::new(Semaphore::new(3));
        let (path, of_cut) = (directory.path().to_owned(), slots.clone());
        let cutting = spawn_blocking(move || cut(stream.as_slice(), grid, &path, &of_cut, &sender));
        let reading = async {
            let mut found = Vec::new();
            while let Some(segment) = receiver.recv().await {
                let bytes = std::fs::read(&segment.path).unwrap();
                let sample = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
                found.push((sample(0), sample(bytes.len() - 2)));
            }
            found
        };
        let (total, found) = tokio::join!(cutting, reading);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "all files are gone");
        assert_eq!(slots.available_permits(), 3);
        (found, total.unwrap().unwrap())
    }

    #[tokio::test]
    async fn segments_overlap_and_the_last_has_the_rest() {
        let frames = |count: u64| count * FRAME;
        assert_eq!(segments(GRID, 0).await, (vec![], 0));
        assert_eq!(segments(GRID, 1).await, (vec![(0, 0)], 1));
        let (found, total) = segments(GRID, frames(250) + 7).await;
        assert_eq!(found, [(0, 107), (68, 207), (168, 250)]);
        assert_eq!(total, frames(250) + 7);
        // The second would have nothing that the first has not.
        assert_eq!(segments(GRID, frames(108) - 1).await.0, [(0, 107)]);
        assert_eq!(segments(GRID, frames(108)).await.0, [(0, 107), (68, 107)]);
    }
    #[tokio::test]
    async fn segments_need_not_overlap() {
        let grid = Grid { before: 0, after: 0, ..GRID };
        assert_eq!(segments(grid, 250 * FRAME).await, (vec![(0, 99), (100, 199), (200, 249)], 250 * FRAME));
        assert_eq!(segments(grid, 200 * FRAME).await.0, [(0, 99), (100, 199)]);
    }

    #[tokio::test]
    async fn a_segment_that_counts_elsewhere_makes_room_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let (slots, lent) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let (path, of_start) = (directory.path().to_owned(), slots.clone());
        let Open { mut segment, .. } = spawn_blocking(move || start(&path, 0, &of_start)).await.unwrap().unwrap();
        assert_eq!(slots.available_permits(), 0);
        segment.count_as(lent.clone().try_acquire_owned().unwrap());
        assert_eq!((slots.available_permits(), lent.available_permits()), (1, 0));
        drop(segment);
        assert_eq!((slots.available_permits(), lent.available_permits()), (1, 1));
    }
}
