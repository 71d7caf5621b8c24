//! A bound per key: so many connections of one partner, so many handshakes from one address.
//!
//! A key that holds nothing takes no memory, so keys from outside cannot fill it: there are never more keys than
//! permits, and those are bounded elsewhere. Nobody waits here; who finds no room is told at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is held per key, up to a bound.
#[derive(Debug)]
pub(super) struct KeyedBound<K: Eq + Hash> {
    max: usize,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

/// A place under a key, given back when dropped.
#[derive(Debug)]
pub(super) struct KeyedPermit<K: Eq + Hash> {
    key: K,
    held: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash + Clone> KeyedBound<K> {
    pub(super) fn new(max: usize) -> Self {
        Self { max, held: Arc::default() }
    }

    /// Takes a place under the key; `None` where all are taken.
    pub(super) fn try_acquire(&self, key: K) -> Option<KeyedPermit<K>> {
        let mut held = lock(&self.held);
        let next = held.get(&key).copied().unwrap_or(0).checked_add(1).filter(|next| *next <= self.max)?;
        held.insert(key.clone(), next);
        drop(held);
        Some(KeyedPermit { key, held: Arc::clone(&self.held) })
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        match held.get_mut(&self.key) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(held.remove(&self.key)),
        }
    }
}

/// The map is whole between any two statements, so a panic elsewhere leaves nothing to distrust.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_own_places_and_gets_them_back() {
        let bound = KeyedBound::new(2);
        let first = bound.try_acquire("airline").unwrap();
        let _second = bound.try_acquire("airline").unwrap();
        assert!(bound.try_acquire("airline").is_none());
        assert!(bound.try_acquire("cinema").is_some(), "another key is not touched");
        drop(first);
        let _third = bound.try_acquire("airline").unwrap();
        assert!(bound.try_acquire("airline").is_none());
    }

    #[test]
    fn a_key_that_holds_nothing_is_forgotten() {
        let bound = KeyedBound::new(1);
        for key in 0..1_000 {
            drop(bound.try_acquire(key).unwrap());
        }
        assert!(lock(&bound.held).is_empty());
    }

    #[test]
    fn a_bound_of_zero_lets_nobody_in() {
        assert!(KeyedBound::new(0).try_acquire("airline").is_none());
    }
}
