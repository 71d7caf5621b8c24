//! The store's time: one clock for all hubs, held so that it never goes back between batches that touch the same rows.
//!
//! A batch reads the time once it has its rows. Whoever changed one of them before has committed by then, and left its own
//! time in its hub's slot in the same transaction: the largest slot is therefore no earlier than any change that the batch
//! can see. Of another hub's time a batch begins one microsecond later, so that times order what two hubs did to one row even
//! where the clock was set back between them. The process remembers the latest time of its own batches beside that, for those
//! that wrote nothing.
//!
//! Absent on purpose: the clock of the hub's own machine.

use std::sync::{Mutex, PoisonError};

use pointbridge_core::time::Timestamp;
use uuid::Uuid;

use crate::options::Clock;
use crate::session::Bind;

/// How many slots there are: more than hubs on one database are likely to be, few enough to be read at once.
pub(crate) const SLOTS: u8 = 16;

/// The database's clock in microseconds, or the one that is given. $1: the time that is given, or null. $2: how far the
/// database's clock is moved.
macro_rules! clock {
    () => {
        "coalesce($1, (extract(epoch from clock_timestamp()) * 1000000)::bigint + $2)"
    };
}
pub(crate) use clock;

/// A common table with what time it is for who reads, and the epoch. $1 and $2: the clock.
macro_rules! moment {
    () => {
        concat!(
            "with moment as materialized (
                 select greatest(",
            $crate::time::clock!(),
            ", store_state.created_at, (select max(last_now) from clock_slot)) as now, store_state.epoch
                 from store_state
             )"
        )
    };
}
pub(crate) use moment;

/// The clock, the hub's slot and name, and the latest time that a batch of this process was decided on.
pub(crate) struct Time {
    clock: Clock,
    slot: u8,
    hub: Uuid,
    latest: Mutex<Option<Timestamp>>,
}

impl Time {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, slot: fastrand::u8(0..SLOTS), hub: Uuid::new_v4(), latest: Mutex::new(None) }
    }

    /// The slot that this store's batches write.
    pub(crate) fn slot(&self) -> Bind {
        Bind::int(i64::from(self.slot))
    }

    /// Who this store is among all that write.
    pub(crate) const fn hub(&self) -> Bind {
        Bind::id(self.hub)
    }

    /// $1 and $2 of [`clock`].
    pub(crate) fn binds(&self) -> Vec<Bind> {
        match &self.clock {
            Clock::Database { offset_micros } => vec![Bind::Int(None), Bind::int(*offset_micros)],
            Clock::Given(clock) => vec![Bind::int(clock().micros()), Bind::int(0)],
        }
    }

    /// What time it is, by `read`, the clock and what is stored, and never earlier than any batch of this process.
    pub(crate) fn now(&self, read: Timestamp) -> Timestamp {
        read.max(self.latest().unwrap_or(read))
    }

    /// The latest time that a batch of this process was decided on.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a batch is decided on this time.
    pub(crate) fn decided(&self, now: Timestamp) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = (*latest).max(Some(now));
    }
}
