//! Posts over kept connections, with as little work of its own as there can be.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest answer, with its headers.
const MAX_ANSWER: usize = 64 * 1024;

/// What is posted, and what must be answered.
pub struct Load {
    posts: Arc<[Vec<u8>]>,
    /// Whether the posts are repeated.
    again: bool,
    status: u16,
    /// Posts in a second.
    pace: Option<f64>,
}

/// What came of it.
pub struct Report {
    pub done: usize,
    pub took: Duration,
    /// From when a post was due to its answer, shortest first.
    pub times: Vec<Duration>,
}

impl Load {
    /// One post again and again.
    pub fn same(post: Vec<u8>, status: u16) -> Self {
        Self { posts: [post].into(), again: true, status, pace: None }
    }

    /// Each post once.
    pub fn each(posts: &[Vec<u8>], status: u16) -> Self {
        Self { posts: posts.into(), again: false, status, pace: None }
    }

    /// No more than `pace` in a second.
    pub fn paced(self, pace: f64) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// Runs on so many connections until all is posted, or for `time`.
    pub async fn run(self, address: &str, connections: usize, time: Duration) -> anyhow::Result<Report> {
        let (next, load, start) = (Arc::new(AtomicUsize::new(0)), Arc::new(self), Instant::now());
        let clients = (0..connections).map(|_| {
            let (next, load, address) = (next.clone(), load.clone(), address.to_owned());
            async move { tokio::spawn(load.client(address, next, start, time)).await? }
        });
        let mut times: Vec<Duration> = try_join_all(clients).await?.into_iter().flatten().collect();
        let took = start.elapsed();
        times.sort();
        Ok(Report { done: times.len(), took, times })
    }

    async fn client(
        self: Arc<Self>,
        address: String,
        next: Arc<AtomicUsize>,
        start: Instant,
        time: Duration,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut answer, mut times) = (vec![0; MAX_ANSWER], Vec::new());
        while start.elapsed() < time {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let post = if self.again { self.posts.first() } else { self.posts.get(index) };
            let Some(post) = post else { break };
            let due = match self.pace {
                Some(pace) => start + Duration::from_secs_f64(index as f64 / pace),
                None => Instant::now(),
            };
            tokio::time::sleep_until(due.into()).await;
            stream.write_all(post).await?;
            let status = read(&mut stream, &mut answer).await?;
            ensure!(status == self.status, "the answer is {status}, not {}", self.status);
            times.push(due.elapsed());
        }
        Ok(times)
    }
}

/// Reads one answer whole; gives back its status.
async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<u16> {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).await?;
        ensure!(count > 0, "the connection ended");
        filled += count;
        let Some(head) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(Ok(0), |it| it.trim().parse())?;
        if filled == head + 4 + length {
            let status = text.split(' ').nth(1).context("no status")?;
            return Ok(status.parse()?);
        }
    }
}
