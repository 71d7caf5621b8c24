//! Shares by key, in bounded memory.
//!
//! A share that is idle is as good as a new one, so that the table forgets idle ones where it is full. Keys that find no place
//! even then have one share together: whoever fills the table on purpose gets no share of its own by that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Allowance;
use super::share::{Share, Ticks};

/// The shares of all keys of one kind.
#[derive(Debug)]
pub(super) struct Table<K> {
    pub(super) allowance: Allowance,
    keys_max: usize,
    ticks: Ticks,
    shares: Mutex<HashMap<K, Arc<Share>>>,
    rest: Arc<Share>,
}

impl<K: Eq + Hash> Table<K> {
    /// An empty table in which every key may have as much as `allowance`.
    pub(super) fn new(allowance: Allowance, keys_max: usize, ticks: Ticks) -> Self {
        let rest = Arc::new(Share::new("all others".to_owned(), allowance, &ticks));
        Self { allowance, keys_max, ticks, shares: Mutex::default(), rest }
    }

    /// The share of a key, if it has one.
    pub(super) fn find(&self, key: &K) -> Option<Arc<Share>> {
        self.lock().get(key).cloned()
    }

    /// The share of a key, which is `name` in refusals.
    pub(super) fn share(&self, key: K, name: impl FnOnce() -> String) -> Arc<Share> {
        let mut shares = self.lock();
        if let Some(share) = shares.get(&key) {
            return Arc::clone(share);
        }
        if shares.len() >= self.keys_max {
            shares.retain(|_, share| !share.is_idle());
        }
        if shares.len() >= self.keys_max {
            return Arc::clone(&self.rest);
        }
        let share = Arc::new(Share::new(name(), self.allowance, &self.ticks));
        shares.insert(key, Arc::clone(&share));
        share
    }

    /// The map is whole between any two statements, so a panic elsewhere leaves nothing to distrust.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Share>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}
