//! Asks a server on this machine how it is, so that a container's health check needs no other program in the image.

use std::{
    io::{Error, ErrorKind, Result},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Connecting and answering take no longer than this together.
const PATIENCE: Duration = Duration::from_secs(4);
/// As long as `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// The status with which the server that listens on `address` answers `GET path`. An address that
/// stands for all of the machine's is asked on its loopback.
pub async fn ask(address: SocketAddr, path: &str) -> Result<u16> {
    let answer = timeout(PATIENCE, exchange(reachable(address), path)).await;
    answer.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

async fn exchange(address: SocketAddr, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; STATUS_BYTES];
    stream.read_exact(&mut head).await?;
    status(&head).ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer is not HTTP"))
}

/// The number in `HTTP/1.1 200` (RFC 9112, section 4).
fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// An address that clients on this machine can connect to, for one that a server listens on.
#[must_use]
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
