//! The reference store, in memory: what a store must do, said as plainly as possible.
//!
//! Every other store answers as this one does, to the byte; the conformance suite and the simulation hold them to it. It
//! keeps its own tables in ordered maps and shares no code with [`World::apply`], so that the two check each other. What a
//! database refuses by constraint, this one refuses too, before anything is written.
//!
//! Absent on purpose: speed (views scan), durability, and any concurrency beyond one lock around everything.

mod audit;
mod load;
mod standing;
mod state;
mod views;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pointbridge_core::ids::WindowId;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};
use pointbridge_store::{AuditRow, Due, Pulse, Store, StoreError};

use state::State;

/// A clock that can be read from anywhere.
pub type ReadClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A store that forgets everything when it is dropped.
pub struct MemoryStore {
    clock: ReadClock,
    state: Mutex<State>,
}

/// The first settlement window of a store, which has no end yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstWindow {
    /// Its id.
    pub window_id: WindowId,
    /// When it opened.
    pub opens_at: Timestamp,
}

impl MemoryStore {
    /// An empty store whose window opens now and has a fixed id.
    #[must_use]
    pub fn new(clock: ReadClock) -> Self {
        let window_id = WindowId::new(uuid::Uuid::from_u128(0x019a_a000_0000_7000_8000_0000_0000_0001));
        let opens_at = clock();
        Self::with_window(clock, FirstWindow { window_id, opens_at })
    }

    /// An empty store with the window of another one, so that both make the same records.
    #[must_use]
    pub fn with_window(clock: ReadClock, window: FirstWindow) -> Self {
        Self { clock, state: Mutex::new(State::empty(window)) }
    }

    /// The state, also after a panic in a test that held it: every write is checked before it begins.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock, never earlier than in any batch before.
    fn now(&self, state: &State) -> Timestamp {
        (self.clock)().max(state.last_now)
    }
}

impl Store for MemoryStore {
    async fn facts(&self, query: &FactQuery) -> Result<Facts, StoreError> {
        Ok(load::facts(&self.state(), query))
    }

    async fn transact<T, F>(&self, footprint: &Footprint, decide: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(World) -> (Changes, T) + Send + Sync,
    {
        let mut state = self.state();
        let now = self.now(&state);
        let world = load::world(&state, footprint, now)?;
        let (changes, answer) = decide(world);
        write::check(&state, &changes)?;
        state.last_now = now;
        write::write(&mut state, changes);
        Ok(answer)
    }

    async fn due(&self, limit: u32) -> Result<Vec<Due>, StoreError> {
        let state = self.state();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(load::due(&state, self.now(&state), limit))
    }

    async fn pulse(&self) -> Result<Pulse, StoreError> {
        let state = self.state();
        Ok(load::pulse(&state, self.now(&state)))
    }

    async fn audit(&self, visit: &mut (dyn FnMut(AuditRow) + Send)) -> Result<Timestamp, StoreError> {
        let state = self.state();
        audit::rows(&state, visit);
        Ok(state.last_now)
    }
}
