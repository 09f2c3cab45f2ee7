//! Names to addresses, of which only public ones are let through. It sits in the HTTP client itself, so the address
//! that is connected to is the one that was looked at: a name that changes its mind in between gains nothing.

use std::{net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{net::lookup_host, sync::Semaphore};

use super::address::is_public;

/// The most names that are being looked up. The system's resolver holds a thread for each, and cannot be hurried.
const LOOKUPS: usize = 128;

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It has none, or nobody could say.
    #[error("the host has no address")]
    Unknown,
    /// One of them is not on the public internet.
    #[error("the host is not on the public internet")]
    NotPublic,
}

/// The system's resolver.
pub struct System {
    turns: Arc<Semaphore>,
}

/// Another resolver, whose answer counts only if every address in it is public: of a mixed one, the client might
/// take the wrong address first or last.
#[derive(Clone)]
pub struct PublicOnly {
    inner: Arc<dyn Resolve>,
}

impl System {
    /// A resolver that waits in line when too many names are asked for.
    #[must_use]
    pub fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        let turns = self.turns.clone();
        Box::pin(async move {
            let turn = turns.acquire_owned().await?;
            // In a task of its own: the turn ends with the lookup, though its caller may have given up.
            let lookup = tokio::spawn(async move {
                let found = lookup_host((name.as_str(), 0)).await.map(Iterator::collect::<Vec<_>>);
                drop(turn);
                found
            });
            Ok(Box::new(lookup.await??.into_iter()) as Addrs)
        })
    }
}

impl PublicOnly {
    /// A guard in front of `inner`.
    pub fn new(inner: Arc<dyn Resolve>) -> Self {
        Self { inner }
    }

    /// The addresses of a host.
    pub async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, NoAddress> {
        let name: Name = host.parse().map_err(|_| NoAddress::Unknown)?;
        self.check(name).await
    }

    async fn check(&self, name: Name) -> Result<Vec<SocketAddr>, NoAddress> {
        let found: Vec<_> = self.inner.resolve(name).await.map_err(|_| NoAddress::Unknown)?.collect();
        if found.is_empty() {
            return Err(NoAddress::Unknown);
        }
        if found.iter().all(|address| is_public(address.ip())) { Ok(found) } else { Err(NoAddress::NotPublic) }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move { Ok(Box::new(this.check(name).await?.into_iter()) as Addrs) })
    }
}
