//! What was read or written once and never changes, kept so that the next batch need not read it again.
//!
//! Records and consents are append-only: what is kept under the id of one cannot be stale. *Which* of them counts (an
//! exchange's last record, the consent in force) is asked of the database every time. Bounded by count, the least recent going
//! first, about 15 MiB in all. Absent on purpose: rows that change, and facts that anybody may ask for by an id of his own
//! choice, because the time of an answer would tell what exists.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::{ConsentId, ExchangeId};
use pointbridge_core::member::Consent;
use pointbridge_core::record::Record;
use pointbridge_core::world::Changes;

/// Exchanges in each of two generations, 2 to 3 KiB each: what tills have under way.
const EXCHANGES_KEPT: usize = 2_048;

/// Consents in each of two generations, about 300 bytes each.
const CONSENTS_KEPT: usize = 8_192;

/// What is kept.
pub(crate) struct Kept(Mutex<Inner>);

struct Inner {
    /// The records that prepared exchanges, while these are not ended.
    prepared: Recent<ExchangeId, Arc<Record>>,
    consents: Recent<ConsentId, Consent>,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let inner = Inner { prepared: Recent::new(EXCHANGES_KEPT), consents: Recent::new(CONSENTS_KEPT) };
        Self(Mutex::new(inner))
    }

    /// The records that prepared these exchanges, as far as they are kept.
    pub(crate) fn prepared<'a>(
        &self,
        ids: impl Iterator<Item = &'a ExchangeId>,
    ) -> HashMap<ExchangeId, Arc<Record>> {
        let mut inner = self.lock();
        ids.filter_map(|id| Some((*id, inner.prepared.get(id)?))).collect()
    }

    pub(crate) fn consent(&self, id: ConsentId) -> Option<Consent> {
        self.lock().consents.get(&id)
    }

    pub(crate) fn keep_consent(&self, consent: Consent) {
        self.lock().consents.put(consent.consent_id, consent);
    }

    /// Notes what a batch has written. After its commit only: what was rolled back was never so.
    pub(crate) fn written(&self, changes: &Changes) {
        let mut inner = self.lock();
        for record in changes.records.iter().map(|sealed| &sealed.record) {
            let prepared = record.exchange().filter(|e| e.state == ReservationState::Prepared);
            if let Some(exchange) = prepared {
                inner.prepared.put(exchange.exchange_id, Arc::clone(record));
            }
        }
        for ended in changes.ended.keys() {
            inner.prepared.forget(ended);
        }
    }

    /// Nothing is left half done between two statements, so a panic elsewhere leaves nothing to distrust.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map that forgets what was not asked for: a young generation that takes everything, and the one before.
struct Recent<K, V> {
    most: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Copy + Eq + Hash, V: Clone> Recent<K, V> {
    fn new(most: usize) -> Self {
        Self { most, young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.put(*key, value.clone());
        Some(value)
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn forget(&mut self, key: &K) {
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
            assert_eq!(recent.get(&0), Some(0), "asked for after each of {key}");
            assert!(recent.young.len() + recent.old.len() <= 20, "{key}");
        }
        assert_eq!(recent.get(&500), None);
        recent.forget(&0);
        assert_eq!(recent.get(&0), None);
    }
}
