//! Serves a router over HTTP/1.1 with the bounds that an open network asks for: so many
//! connections, so long for a request's head.
//!
//! `axum::serve` has neither: a client that opens connections and says nothing holds them, and
//! with them the process's file descriptors, for ever.

mod ask;
mod descriptors;
mod door;

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

pub use ask::{ask, reachable};
use door::Door;

/// A request's head, and the most that is read ahead of a body, in bytes. A presigned URL has about
/// 2 KiB.
const BUFFER: usize = 128 * 1024;

/// What a server allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; further ones wait in the listener's backlog.
    pub connections: u32,
    /// How long a request's head may take to arrive; also how long a connection may be idle between
    /// two requests.
    pub head: Duration,
    /// How long a client may take nothing of an answer (Linux only; at most 49 days).
    pub stall: Duration,
}

impl Limits {
    /// The default of `connections`.
    pub const CONNECTIONS: u32 = 16_384;
    /// The default of `head`. A load balancer must close idle connections before the server does, or
    /// it sends requests into closing ones; the one of AWS does so after 60 seconds by default
    /// (Elastic Load Balancing, "Connection idle timeout").
    pub const HEAD: Duration = Duration::from_secs(75);
    /// The default of `stall`.
    pub const STALL: Duration = Duration::from_secs(60);

    /// `connections` at once, or as many as the system allows: the process's limit of open files is
    /// raised, and each of two listeners gets a third of the descriptors, files and queues the rest.
    pub fn that_fit(connections: u32) -> Self {
        let fit = u32::try_from(descriptors::raise() / 3).unwrap_or(u32::MAX).max(1);
        // Nobody asked for the default, so that less than it is nothing to warn of.
        if fit < connections && connections != Self::CONNECTIONS {
            tracing::warn!(connections = fit, "the limit of open files allows fewer connections than asked for");
        }
        Self { connections: connections.min(fit), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: Self::CONNECTIONS, head: Self::HEAD, stall: Self::STALL }
    }
}

/// Serves until `stop`, then lets the requests in hand end. A connection that is between requests
/// ends at once.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
    let mut door = Door::new(listener, limits);
    let http = http(limits);
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            biased;
            () = &mut stop => break,
            admitted = door.admit() => admitted,
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // The client's doing: it left, was too slow, or does not speak HTTP.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(door);
    connections.shutdown().await;
}

fn http(limits: Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER);
    http
}
