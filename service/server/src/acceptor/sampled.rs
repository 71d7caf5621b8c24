//! At most one line of log per second, with the count of those left out: a flood of refusals fills no disk.
//!
//! The count stands on the next line that is written; a flood that ends leaves its last count for the next refusal.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// Decides which refusals are logged.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_line: Option<Instant>,
    unlogged: u64,
}

impl Sampler {
    /// Whether to write a line now: the number of refusals left out since the last one, or `None` for no line.
    pub(super) fn admit(&self) -> Option<u64> {
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
        let cases = [
            (0, Some(0)),
            (1, None),
            (999, None),
            (1_000, Some(2)),
            (1_001, None),
            (5_000, Some(1)),
            (6_000, Some(0)),
        ];
        for (millis, expected) in cases {
            let found = state.admit(start + Duration::from_millis(millis));
            assert_eq!(found, expected, "at {millis} ms");
        }
    }
}
