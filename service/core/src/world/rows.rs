//! Rows by their key: few of them lie side by side, many stand in a tree.
//!
//! What one command changes is a row or two of a kind, for each of which a tree would be made and given back; what a batch
//! changes is a thousand. Either way they come in the order of their keys. Absent on purpose: taking a row out.

use std::collections::{BTreeMap, btree_map};
use std::{fmt, slice, vec};

/// As many lie side by side.
const FEW_MAX: usize = 16;

/// Rows by key.
#[derive(Clone)]
pub struct Rows<K, V>(Kept<K, V>);

#[derive(Clone)]
enum Kept<K, V> {
    /// In the order of their keys, each once.
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(Kept::Few(Vec::new()))
    }
}

impl<K: Ord, V> Rows<K, V> {
    /// The row with this key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        match &self.0 {
            Kept::Few(rows) => place(rows, key).ok().and_then(|at| rows.get(at)).map(|(_, row)| row),
            Kept::Many(rows) => rows.get(key),
        }
    }

    /// Whether there is a row with this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Puts a row in the place of what was there.
    pub fn insert(&mut self, key: K, row: V) {
        match &mut self.0 {
            Kept::Few(rows) => match place(rows, &key) {
                Ok(at) => {
                    if let Some((_, kept)) = rows.get_mut(at) {
                        *kept = row;
                    }
                }
                Err(at) if rows.len() < FEW_MAX => rows.insert(at, (key, row)),
                Err(_) => {
                    let mut many: BTreeMap<K, V> = rows.drain(..).collect();
                    many.insert(key, row);
                    self.0 = Kept::Many(many);
                }
            },
            Kept::Many(rows) => {
                rows.insert(key, row);
            }
        }
    }
}

fn place<K: Ord, V>(rows: &[(K, V)], key: &K) -> Result<usize, usize> {
    rows.binary_search_by(|(known, _)| known.cmp(key))
}

impl<K, V> Rows<K, V> {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Few(rows) => rows.len(),
            Kept::Many(rows) => rows.len(),
        }
    }

    /// The rows with their keys, in the order of these.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        match &self.0 {
            Kept::Few(rows) => Iter { few: rows.iter(), many: btree_map::Iter::default() },
            Kept::Many(rows) => Iter { few: slice::Iter::default(), many: rows.iter() },
        }
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The rows, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, row)| row)
    }

    /// The rows to be changed, in the order of their keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let (few, many) = match &mut self.0 {
            Kept::Few(rows) => (rows.iter_mut(), btree_map::IterMut::default()),
            Kept::Many(rows) => (slice::IterMut::default(), rows.iter_mut()),
        };
        few.map(|(_, row)| row).chain(many.map(|(_, row)| row))
    }
}

/// Rows with their keys, in order.
pub struct Iter<'a, K, V> {
    few: slice::Iter<'a, (K, V)>,
    many: btree_map::Iter<'a, K, V>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.few.next().map(|(key, row)| (key, row)).or_else(|| self.many.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.few.len().saturating_add(self.many.len());
        (left, Some(left))
    }
}

/// Rows that are taken over, with their keys, in order.
pub struct IntoIter<K, V> {
    few: vec::IntoIter<(K, V)>,
    many: btree_map::IntoIter<K, V>,
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        self.few.next().or_else(|| self.many.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.few.len().saturating_add(self.many.len());
        (left, Some(left))
    }
}

impl<'a, K, V> IntoIterator for &'a Rows<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K, V> IntoIterator for Rows<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(self) -> IntoIter<K, V> {
        match self.0 {
            Kept::Few(rows) => IntoIter { few: rows.into_iter(), many: btree_map::IntoIter::default() },
            Kept::Many(rows) => IntoIter { few: vec::IntoIter::default(), many: rows.into_iter() },
        }
    }
}

impl<K: Ord, V> Extend<(K, V)> for Rows<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, rows: I) {
        rows.into_iter().for_each(|(key, row)| self.insert(key, row));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Rows<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut kept = Self::default();
        kept.extend(rows);
        kept
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Rows<K, V> {
    fn from(rows: [(K, V); N]) -> Self {
        rows.into_iter().collect()
    }
}

/// However they are kept.
impl<K: PartialEq, V: PartialEq> PartialEq for Rows<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Rows<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Rows<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn few_or_many_they_are_what_a_tree_would_hold(puts in vec((0u8..40, any::<u16>()), 0..60), asked in 0u8..40) {
            let tree: BTreeMap<u8, u16> = puts.iter().copied().collect();
            let mut rows: Rows<u8, u16> = puts.iter().copied().collect();
            prop_assert_eq!((rows.len(), rows.is_empty()), (tree.len(), tree.is_empty()));
            prop_assert_eq!((rows.get(&asked), rows.contains_key(&asked)), (tree.get(&asked), tree.contains_key(&asked)));
            prop_assert!(rows.iter().eq(tree.iter()) && rows.keys().eq(tree.keys()) && rows.values().eq(tree.values()));
            prop_assert_eq!(rows.iter().size_hint(), tree.iter().size_hint());
            prop_assert_eq!(format!("{rows:?}"), format!("{tree:?}"));
            prop_assert!(rows.clone().into_iter().eq(tree.clone()));
            prop_assert_eq!(&rows, &tree.clone().into_iter().rev().collect::<Rows<_, _>>());
            rows.values_mut().for_each(|row| *row ^= 1);
            prop_assert!(rows.values().copied().eq(tree.values().map(|row| row ^ 1)));
            prop_assert_eq!(rows == tree.into_iter().collect(), puts.is_empty());
        }
    }
}
