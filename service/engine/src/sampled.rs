//! At most one line of log per ten seconds, with the count of those left out: what fails a thousand times a second fills no
//! disk, and is never silent.
//!
//! For one kind of fault each, where nothing is told apart but that it happened. The count stands on the next line that is
//! written.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after a line the next one may be written.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Decides which occurrences are logged. Can stand in a `static`.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_line: Option<Instant>,
    left_out: u64,
}

impl Sampler {
    /// One that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State { last_line: None, left_out: 0 }))
    }

    /// Whether to write a line now: the number left out since the last one, or `None` for no line.
    pub fn admit(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }
}

impl State {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let is_recent = self.last_line.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL);
        if is_recent {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.last_line = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_interval_carries_the_count_of_the_others() {
        let start = Instant::now();
        let mut state = State::default();
        let cases = [
            (0, Some(0)),
            (1, None),
            (9_999, None),
            (10_000, Some(2)),
            (10_001, None),
            (50_000, Some(1)),
            (60_000, Some(0)),
        ];
        for (millis, expected) in cases {
            let found = state.admit(start + Duration::from_millis(millis));
            assert_eq!(found, expected, "at {millis} ms");
        }
    }
}
