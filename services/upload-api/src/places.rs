//! How many bodies are taken at once: of all users together, and of each one, so that nobody can hold
//! every place.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use common::UserId;
use runtime::Problem;

use crate::{error, metrics::Open};

/// All places. Cheap to clone.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    at_once: u32,
    per_user: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    /// Only users who have a body on its way: as many as there are places, at most.
    of: HashMap<UserId, u32>,
}

/// The right to send one body; given back when it is dropped.
pub struct Place {
    places: Places,
    user: UserId,
    _open: Open,
}

impl Places {
    /// Room for `at_once` bodies, and for `per_user` of one user.
    pub fn new(at_once: u32, per_user: u32) -> Self {
        // However few places there are, one user leaves one to others.
        let per_user = per_user.min(at_once.saturating_sub(1)).max(1);
        Self(Arc::new(Inner { at_once, per_user, taken: Mutex::default() }))
    }

    /// A place for one more body of this user, if there is one.
    pub fn admit(&self, user: &UserId) -> Result<Place, Problem> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.0.at_once {
            return Err(error::busy());
        }
        let of_user = taken.of.get(user).copied().unwrap_or_default();
        if of_user >= self.0.per_user {
            return Err(error::too_many(self.0.per_user));
        }
        taken.of.insert(user.clone(), of_user + 1);
        taken.all += 1;
        Ok(Place { places: self.clone(), user: user.clone(), _open: Open::begin() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(left) = taken.of.get_mut(&self.user) {
            *left -= 1;
            if *left == 0 {
                taken.of.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn one_user_never_holds_all_of_a_few_places() {
        let places = Places::new(2, 8);
        let alice: UserId = "alice".parse().unwrap();
        let _first = places.admit(&alice).ok().unwrap();
        assert!(places.admit(&alice).is_err());
        assert!(places.admit(&"bob".parse().unwrap()).is_ok());
    }

    #[test]
    fn one_user_leaves_room_for_others() {
        let places = Places::new(3, 2);
        let (alice, bob, carol): (UserId, UserId, UserId) =
            ("alice".parse().unwrap(), "bob".parse().unwrap(), "carol".parse().unwrap());
        let status = |result: Result<Place, Problem>| result.err().map(|problem| problem.status());
        let first = places.admit(&alice).ok().unwrap();
        let _second = places.admit(&alice).ok().unwrap();
        assert_eq!(status(places.admit(&alice)), Some(StatusCode::TOO_MANY_REQUESTS));
        let _third = places.admit(&bob).ok().unwrap();
        assert_eq!(status(places.admit(&carol)), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop(first);
        let fourth = places.admit(&alice).ok().unwrap();
        drop(fourth);
        assert_eq!(status(places.admit(&carol)), None);
        assert_eq!(places.0.taken.lock().unwrap().of.len(), 2, "carol holds none any more");
    }
}
