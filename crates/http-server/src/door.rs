//! Accepting connections, a bounded number at once.

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::Limits;

/// How long to wait when the system has no descriptor left for one more connection.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that stays full says so this often.
const REMIND: Duration = Duration::from_secs(60);

/// Lets clients in while there is room.
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    limits: Limits,
    warned: Option<Instant>,
}

impl Door {
    /// Room for as many at once as the limits say.
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections as usize));
        Self { listener, places, limits, warned: None }
    }

    /// The next connection and its place, which is free again when it is dropped. Nothing is lost when
    /// the future is dropped.
    pub async fn admit(&mut self) -> (TcpStream, OwnedSemaphorePermit) {
        if self.places.available_permits() == 0 {
            self.warn();
        }
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        (self.accept().await, place)
    }

    async fn accept(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = prepare(&stream, self.limits.stall) {
                        tracing::debug!(%error, "cannot set an option of a connection");
                    }
                    return stream;
                }
                Err(error) if is_of_the_client(error.kind()) => {}
                // Most likely no descriptor is left: trying again at once would only burn the processor.
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection; trying again in a second");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn warn(&mut self) {
        if self.warned.is_none_or(|then| then.elapsed() >= REMIND) {
            tracing::warn!(connections = self.limits.connections, "all connections are taken; further clients wait");
            self.warned = Some(Instant::now());
        }
    }
}

#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux has such a limit"))]
fn prepare(stream: &TcpStream, stall: Duration) -> std::io::Result<()> {
    // Small answers must not wait for more to send.
    stream.set_nodelay(true)?;
    // Linux closes a connection whose client takes nothing of what was sent (tcp(7), TCP_USER_TIMEOUT).
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(stream, u32::try_from(stall.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// A connection that was gone before it was accepted.
fn is_of_the_client(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}
