//! At most one line of log per second and place, with the count of those left out: a disk that stays full is not filled with
//! complaints about it.
//!
//! The count stands on the next line that is written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Decides which failures are logged. One stands for one place in the code.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_line: Option<Instant>,
    unlogged: u64,
}

impl Sampler {
    /// A sampler that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State { last_line: None, unlogged: 0 }))
    }

    /// Whether to write a line now: the number of failures left out since the last one, or `None` for no line.
    pub fn admit(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

impl State {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let recent = self.last_line.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL);
        if recent {
            self.unlogged = self.unlogged.saturating_add(1);
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_second_carries_the_count_of_the_others() {
        let start = Instant::now();
        let mut state = State::default();
        for (millis, expected) in
            [(0, Some(0)), (1, None), (999, None), (1_000, Some(2)), (5_000, Some(0)), (5_001, None)]
        {
            assert_eq!(state.admit(start + Duration::from_millis(millis)), expected, "at {millis} ms");
        }
    }
}
