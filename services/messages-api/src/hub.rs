//! Who is connected here, and how word of a change reaches them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use common::UserId;
use tokio::sync::watch;

use crate::{config::StreamArgs, metrics::Open, store::Head};

/// The open streams of this process. Cheap to clone.
///
/// It carries no notices, only where each user's stand: a stream reads what it has not shown from the
/// database. So a slow client costs no memory and misses nothing.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    max: u32,
    max_per_user: u32,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    open: u32,
    connected: HashMap<UserId, Connected>,
}

#[derive(Debug)]
struct Connected {
    open: u32,
    head: watch::Sender<Head>,
}

/// Why no further stream may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The process has as many as it may.
    Process,
    /// The user has as many as one may.
    User,
}

/// The place of one stream. Dropping it gives the place back.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    owner: UserId,
    head: watch::Receiver<Head>,
    _open: Open,
}

impl Hub {
    /// A hub without streams.
    #[must_use]
    pub fn new(bounds: &StreamArgs) -> Self {
        let (max, max_per_user) = (bounds.max_streams, bounds.max_streams_per_user);
        Self { inner: Arc::new(Inner { max, max_per_user, users: Mutex::default() }) }
    }

    /// Takes a place for one stream of `owner`.
    pub fn subscribe(&self, owner: &UserId) -> Result<Subscription, Full> {
        let mut users = self.users();
        if users.open >= self.inner.max {
            return Err(Full::Process);
        }
        if users.connected.get(owner).map_or(0, |connected| connected.open) >= self.inner.max_per_user {
            return Err(Full::User);
        }
        let fresh = || Connected { open: 0, head: watch::Sender::new(Head::default()) };
        let connected = users.connected.entry(owner.clone()).or_insert_with(fresh);
        connected.open += 1;
        let head = connected.head.subscribe();
        users.open += 1;
        drop(users);
        Ok(Subscription { hub: self.clone(), owner: owner.clone(), head, _open: Open::begin() })
    }

    /// Tells the streams of `owner`. Word that comes late, after word of a later change, is dropped.
    pub fn publish(&self, owner: &UserId, head: Head) {
        if let Some(connected) = self.users().connected.get(owner) {
            connected.head.send_if_modified(|known| {
                let newer = head.version > known.version;
                if newer {
                    *known = head;
                }
                newer
            });
        }
    }

    /// Everyone who has a stream open here.
    #[must_use]
    pub fn owners(&self) -> Vec<UserId> {
        self.users().connected.keys().cloned().collect()
    }

    // Nothing panics while it is held, and nothing waits.
    fn users(&self) -> MutexGuard<'_, Users> {
        self.inner.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> &UserId {
        &self.owner
    }

    /// The latest word.
    pub fn latest(&mut self) -> Head {
        *self.head.borrow_and_update()
    }

    /// Waits for word that [`latest`](Self::latest) has not given yet.
    pub async fn changed(&mut self) {
        // The sender lives in the hub as long as this place is taken.
        if self.head.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut users = self.hub.users();
        users.open -= 1;
        if let Some(connected) = users.connected.get_mut(&self.owner) {
            connected.open -= 1;
            if connected.open == 0 {
                users.connected.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Sequence;

    fn hub(max_streams: u32, max_streams_per_user: u32) -> Hub {
        Hub::new(&StreamArgs { max_streams, max_streams_per_user, ..StreamArgs::default() })
    }

    fn user(name: &str) -> UserId {
        name.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let hub = hub(3, 2);
        let first = hub.subscribe(&user("alice")).unwrap();
        let second = hub.subscribe(&user("alice")).unwrap();
        assert_eq!(hub.subscribe(&user("alice")).unwrap_err(), Full::User);
        let third = hub.subscribe(&user("bob")).unwrap();
        assert_eq!(hub.subscribe(&user("carol")).unwrap_err(), Full::Process);
        drop(first);
        drop(hub.subscribe(&user("carol")).unwrap());
        drop((second, third));
        assert_eq!(hub.owners(), []);
    }

    #[test]
    fn a_user_who_is_refused_leaves_nothing_behind() {
        let hub = hub(1, 0);
        assert_eq!(hub.subscribe(&user("alice")).unwrap_err(), Full::User);
        assert_eq!(hub.owners(), []);
    }

    #[test]
    fn late_word_is_dropped() {
        let hub = hub(1, 1);
        let mut stream = hub.subscribe(&user("alice")).unwrap();
        let head = |version| Head { unread: version, newest: Sequence::from_i64(version), version };
        hub.publish(&user("alice"), head(2));
        hub.publish(&user("alice"), head(1));
        hub.publish(&user("bob"), head(9));
        assert_eq!(stream.latest(), head(2));
    }
}
