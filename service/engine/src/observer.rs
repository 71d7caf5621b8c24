//! What the engine tells whoever watches it: times, numbers, and the records that were written.
//!
//! Told after the fact, on the engine's own tasks, so that an observer must not wait for anything. Absent on purpose: who
//! asked, and what is done with it.

use std::sync::Arc;
use std::time::Duration;

use pointbridge_core::record::{Record, RecordKind};
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

/// A batch that is over.
#[derive(Debug)]
pub struct BatchSeen<'a> {
    /// How many commands it had.
    pub commands: usize,
    /// How many of them are decided once more.
    pub reruns: usize,
    /// From its reading to its commit.
    pub took: Duration,
    /// The records of exchanges that it wrote: each once, however often its request is answered. Or why nothing is known to
    /// have been written.
    pub outcome: Result<Written<'a>, &'a StoreError>,
}

/// What a batch wrote.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Whether it wrote anything.
    pub anything: bool,
    /// The records that exchanges and their reversals left.
    pub exchanges: &'a [Arc<Record>],
}

/// Watches the engine.
pub trait Observer: Send + Sync + 'static {
    /// A command waited so long until its first batch began.
    fn waited(&self, how_long: Duration);
    /// A command found no place to wait in.
    fn shed(&self);
    /// A batch is over.
    fn batch_ended(&self, batch: &BatchSeen<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn waited(&self, _: Duration) {}
    fn shed(&self) {}
    fn batch_ended(&self, _: &BatchSeen<'_>) {}
}

/// What is kept of a batch's changes for its observer: nothing is copied but references.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    pub(crate) anything: bool,
    pub(crate) exchanges: Vec<Arc<Record>>,
}

impl Noted {
    pub(crate) fn of(changes: &Changes) -> Self {
        let of_exchanges = changes.records.iter().filter(|sealed| is_of_exchange(sealed.record.kind));
        Self {
            anything: !changes.is_empty(),
            exchanges: of_exchanges.map(|sealed| Arc::clone(&sealed.record)).collect(),
        }
    }
}

const fn is_of_exchange(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::ExchangePrepared
            | RecordKind::ExchangeCommitted
            | RecordKind::ExchangeAborted
            | RecordKind::ExchangeExpired
            | RecordKind::ExchangeReversed
    )
}
