//! The ids of messages that were stored lately: a second delivery mostly comes soon after the first.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many are remembered, of some 40 bytes each. Older ones are known to the database.
const MOST: usize = 65_536;

/// Ids that are known to be stored durably.
#[derive(Default)]
pub struct Recent(Mutex<Ids>);

#[derive(Default)]
struct Ids {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Whether it was remembered.
    pub fn has(&self, id: &str) -> bool {
        self.ids().known.contains(id)
    }

    /// Remembers an id whose message is stored; a full memory gives up the oldest.
    pub fn remember(&self, id: &str) {
        let mut ids = self.ids();
        if !ids.known.insert(id.to_owned()) {
            return;
        }
        ids.order.push_back(id.to_owned());
        if ids.order.len() > MOST
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }

    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let recent = Recent::default();
        for number in 0..=MOST {
            recent.remember(&number.to_string());
            recent.remember(&number.to_string());
        }
        assert!(!recent.has("0") && recent.has("1") && recent.has(&MOST.to_string()));
        assert_eq!(recent.ids().known.len(), MOST);
    }
}
