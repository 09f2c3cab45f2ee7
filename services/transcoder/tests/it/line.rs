//! A slow line to S3.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf};

/// What each connection brings at full speed even then: more than the beginning of an input.
const FAST: usize = 6 * 1024 * 1024;
/// What it brings then in a tenth of a second, which is enough for clients that give up on those that stand still.
const TRICKLE: usize = 2 * 1024;

/// Carries what comes to its address to another, whose answers it can slow down.
pub struct Line {
    url: String,
    is_slow: Arc<AtomicBool>,
}

impl Line {
    /// A line to `endpoint`: `http://host:port`.
    pub async fn to(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Self { url: format!("http://{}", listener.local_addr().unwrap()), is_slow: Arc::default() };
        let (target, is_slow) = (endpoint.trim_start_matches("http://").to_owned(), line.is_slow.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from, mut to) = client.into_split();
                let (mut answers, asked) = TcpStream::connect(&target).await.unwrap().into_split();
                tokio::spawn(carry(from, asked));
                let is_slow = is_slow.clone();
                tokio::spawn(async move { bring(&mut answers, &mut to, &is_slow).await });
            }
        });
        line
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn slow_down(&self) {
        self.is_slow.store(true, Ordering::SeqCst);
    }

    pub fn speed_up(&self) {
        self.is_slow.store(false, Ordering::SeqCst);
    }

    pub fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::SeqCst)
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<u64> {
    copy(&mut from, &mut to).await
}

async fn bring(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, is_slow: &AtomicBool) -> std::io::Result<()> {
    let (mut brought, mut buffer) = (0, vec![0; 64 * 1024]);
    loop {
        let is_slow = is_slow.load(Ordering::SeqCst);
        // A client may use its connections again.
        brought = if is_slow { brought } else { 0 };
        let most = if brought > FAST { TRICKLE } else { buffer.len() };
        let read = from.read(&mut buffer[..most]).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
        brought += read;
        if most == TRICKLE {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
