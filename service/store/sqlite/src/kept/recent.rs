//! A bounded map.

use std::collections::HashMap;
use std::hash::Hash;

/// A map that forgets what was not asked for: a young generation that takes everything, and the one before.
pub(super) struct Recent<K, V> {
    most: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// One that has at most twice `most` entries.
    pub(super) fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    /// What is kept for a key, which counts as asked for.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.put(key.clone(), value);
        }
        self.young.get_mut(key)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.most && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Takes a new value for a key that is kept, and leaves any other alone.
    pub(super) fn renew(&mut self, key: &K, value: V) {
        if let Some(known) = self.get(key) {
            *known = value;
        }
    }

    pub(super) fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut recent = Recent::new(10);
        for key in 0..1_000 {
            recent.put(key, key);
            assert_eq!(recent.get(&0), Some(&mut 0), "asked for after each of {key}");
            assert!(recent.young.len() + recent.old.len() <= 20, "{key}");
        }
        assert_eq!(recent.get(&500), None);
        recent.forget(&0);
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn a_value_is_never_older_than_the_last_one_that_was_put() {
        let mut recent = Recent::new(2);
        recent.put(1, "first");
        recent.put(2, "other");
        recent.put(3, "third");
        recent.put(1, "second");
        assert_eq!(recent.get(&1), Some(&mut "second"));
        recent.forget(&1);
        assert_eq!(recent.get(&1), None, "the older one does not come back");
        recent.renew(&1, "third");
        assert_eq!(recent.get(&1), None, "what is not kept is not made up");
        recent.renew(&3, "new");
        assert_eq!(recent.get(&3), Some(&mut "new"));
    }
}
