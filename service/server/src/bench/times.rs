//! Times of calls, gathered in histograms of three digits from a microsecond to a minute.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::order::{Percentiles, Times};

/// What takes longer counts as this: a minute, in microseconds. A call's own limit is 10 s.
const MICROS_MAX: u64 = 60_000_000;
/// Digits that are kept of a time.
const DIGITS: u8 = 3;

/// A distribution of times.
pub(super) struct Spread(Histogram<u64>);

impl Spread {
    /// An empty one.
    ///
    /// # Errors
    /// Never for these bounds.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, MICROS_MAX, DIGITS)?))
    }

    /// Adds a time.
    pub(super) fn add(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    /// Adds the time since a moment.
    pub(super) fn add_since(&mut self, began: Instant) {
        self.add(micros(began.elapsed()));
    }

    /// What is told of it; zeros where there is nothing.
    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |per_mille: u64| value_at(&self.0, per_mille);
        Percentiles { p50: at(500), p99: at(990), p999: at(999), max: self.0.max() }
    }
}

/// The smallest value that so many of a thousand do not exceed.
fn value_at(histogram: &Histogram<u64>, per_mille: u64) -> u64 {
    let wanted = (histogram.len() * per_mille).div_ceil(1000).max(1);
    let mut seen = 0;
    for step in histogram.iter_recorded() {
        seen += step.count_at_value();
        if seen >= wanted {
            return step.value_iterated_to();
        }
    }
    0
}

/// Whole microseconds of a time.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The three moments of an exchange: how long its prepare took, and how long its commit; microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) prepare: u64,
    pub(super) commit: u64,
}

/// The times of a series of exchanges.
pub(super) struct Series {
    prepare: Spread,
    commit: Spread,
    both: Spread,
}

impl Series {
    /// An empty one.
    ///
    /// # Errors
    /// Never; see [`Spread::new`].
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { prepare: Spread::new()?, commit: Spread::new()?, both: Spread::new()? })
    }

    /// Adds exchanges.
    pub(super) fn extend(&mut self, timings: &[Timing]) {
        for Timing { prepare, commit } in timings {
            self.prepare.add(*prepare);
            self.commit.add(*commit);
            self.both.add(prepare + commit);
        }
    }

    /// What is told of it.
    pub(super) fn times(&self) -> Times {
        let Self { prepare, commit, both } = self;
        Times { prepare: prepare.percentiles(), commit: commit.percentiles(), both: both.percentiles() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_values_that_so_many_do_not_exceed() {
        let mut spread = Spread::new().unwrap();
        assert_eq!(spread.percentiles(), Percentiles::default());
        for micros in 1..=1000 {
            spread.add(micros);
        }
        assert_eq!(spread.percentiles(), Percentiles { p50: 500, p99: 990, p999: 999, max: 1000 });
        spread.add(u64::MAX);
        let max = spread.percentiles().max;
        assert!((MICROS_MAX..=MICROS_MAX + MICROS_MAX / 500).contains(&max), "{max}");
    }

    #[test]
    fn both_phases_are_told_as_their_sum() {
        let mut series = Series::new().unwrap();
        series.extend(&[Timing { prepare: 10, commit: 1 }; 3]);
        let times = series.times();
        assert_eq!((times.prepare.p50, times.commit.p50, times.both.p50), (10, 1, 11));
    }
}
