//! The store's time: the injected clock, held so that it never goes back from one batch to the next.
//!
//! Two memories hold it. The database has the latest time that a batch wrote with, which outlives the process; the process
//! has the latest time that any batch was decided on, so that a batch which writes nothing needs no sync to be remembered.
//! What is forgotten with the process is only the time of refusals, to which nothing on the disk refers.

use std::sync::{Mutex, PoisonError};

use pointbridge_core::time::Timestamp;

use crate::options::Clock;

/// The clock, and the latest time that a batch of this process was decided on.
pub(crate) struct Time {
    clock: Clock,
    latest: Mutex<Option<Timestamp>>,
}

impl Time {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, latest: Mutex::new(None) }
    }

    /// What time it is, never earlier than `stored`, the database's latest, nor than any batch of this process.
    pub(crate) fn now(&self, stored: Timestamp) -> Timestamp {
        let latest = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        (self.clock)().max(stored).max(latest.unwrap_or(stored))
    }

    /// Notes that a batch is decided on this time.
    pub(crate) fn decided(&self, now: Timestamp) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = (*latest).max(Some(now));
    }
}
