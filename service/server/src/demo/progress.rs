//! One line on the terminal that says what is going on, and for how long already.
//!
//! It goes to standard error and only where that is a terminal. What is absent: results; those are printed.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the line moves.
const TICK: Duration = Duration::from_millis(100);

/// The line.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line that counts steps.
    ///
    /// # Errors
    /// The line's pattern is malformed; only a broken build has one.
    pub(super) fn new(steps: usize) -> anyhow::Result<Self> {
        let bar = ProgressBar::new(u64::try_from(steps)?);
        bar.set_style(ProgressStyle::with_template("{spinner} {pos:>2}/{len} {wide_msg} {elapsed:>4}")?);
        bar.enable_steady_tick(TICK);
        Ok(Self { bar })
    }

    /// Says what is going on, outside the steps.
    pub(super) fn say(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Says which step is going on, and counts it.
    pub(super) fn step(&self, who: &str, what: &str) {
        self.bar.set_message(format!("{who} {what}"));
        self.bar.inc(1);
    }

    /// Takes the line away while something is printed.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Takes the line away for good.
    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
