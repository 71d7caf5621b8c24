//! A clock that stands still until a test moves it, forwards or back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pointbridge_core::time::Timestamp;

use crate::memory::ReadClock;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// 2026-11-22T08:00:00Z, in the middle of a month's last days: points with a month's life do not expire by accident.
const START_MICROS: i64 = 1_795_334_400 * MICROS;

/// A moment that its clones share.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Default for Clock {
    /// A clock at the moment at which all tests begin.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(START_MICROS)))
    }
}

impl Clock {
    /// What the clock shows, at least 1970.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        moment(self.0.load(Ordering::SeqCst))
    }

    /// Moves the clock by seconds; below zero to move it back.
    pub fn move_by(&self, seconds: i64) {
        self.0.fetch_add(seconds.saturating_mul(MICROS), Ordering::SeqCst);
    }

    /// Sets the clock.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.micros(), Ordering::SeqCst);
    }

    /// The clock as a store takes it.
    #[must_use]
    pub fn reader(&self) -> ReadClock {
        let shared = Arc::clone(&self.0);
        Arc::new(move || moment(shared.load(Ordering::SeqCst)))
    }
}

/// A moment that a test chose; what lies outside of 1970 to 9999 becomes 1970.
fn moment(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).or_else(|| Timestamp::from_micros(0)).unwrap_or_else(|| unreachable!())
}
