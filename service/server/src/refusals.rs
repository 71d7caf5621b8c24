//! What is logged of refusals: the first of each source and reason at once, then a line per ten seconds with the count of those
//! left out. A flood of refusals fills no disk, and none is lost from the counts.
//!
//! | bound | value | what happens beyond it |
//! | --- | --- | --- |
//! | lines of one source and reason | 1 in 10 s | counted, and told by the next one |
//! | first lines of sources and reasons | 256 in 10 s | counted, and told 10 s later |
//! | sources and reasons that are remembered | 1,024 | the oldest is forgotten, its count goes to all others' |
//!
//! At most 1,281 lines are therefore written in any 10 s, whatever comes. Faults of the hub's own are counted like refusals, and
//! their first line is never left out.
//!
//! One per process, as the log itself is. A source is a partner's code, `@operator`, `@auditor`, or the address of whoever names
//! nobody: no line tells a person or a member.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::network;

/// Between two lines of one source and reason.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// First lines in an interval.
const FIRST_LINES_MAX: u32 = 256;

/// Sources and reasons that are remembered, of about 150 bytes each.
const ENTRIES_MAX: usize = 1_024;

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A party: a partner's code, `@operator` or `@auditor`.
    Party(String),
    /// Nobody that is known, at this address; of version 6, at this network.
    Address(IpAddr),
}

impl Source {
    /// Nobody that is known.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::Address(network(address))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Party(party) => out.write_str(party),
            Self::Address(address) => address.fmt(out),
        }
    }
}

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A caller has to see to it.
    Refusal,
    /// A connection was cut before anybody could be answered.
    Cut,
    /// The hub is at fault.
    Fault,
}

/// A line about what was left out before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summary {
    source: String,
    reason: &'static str,
    kind: Kind,
    left_out: u64,
}

/// What was refused to whom, and how much of it stands in the log.
#[derive(Debug)]
struct Journal {
    entries: HashMap<(Source, &'static str), Entry>,
    interval_began: Instant,
    first_lines: u32,
    /// Of entries that were forgotten.
    left_out_of_others: u64,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    touched: Instant,
    left_out: u64,
}

static JOURNAL: LazyLock<Mutex<Journal>> = LazyLock::new(|| Mutex::new(Journal::new(Instant::now())));

/// Whether to write a line about this refusal: the number of its kind that were left out since the last one, or `None` for no
/// line. `reason` is one of a fixed number of texts.
#[must_use]
pub fn admit(source: Source, reason: &'static str, kind: Kind) -> Option<u64> {
    journal().admit(source, reason, kind, Instant::now())
}

/// Writes a line for each source and reason of which refusals were left out an interval ago. To be called every
/// [`INTERVAL`].
pub fn tell_left_out() {
    // Nobody waits for the log to be written.
    let summaries = journal().left_out(Instant::now(), INTERVAL);
    write(&summaries);
}

/// Writes all counts that are left. To be called when the hub goes down.
pub fn tell_all() {
    let summaries = journal().left_out(Instant::now(), Duration::ZERO);
    write(&summaries);
}

fn write(summaries: &[Summary]) {
    for Summary { source, reason, kind, left_out } in summaries {
        match kind {
            Kind::Refusal => tracing::info!(source, reason, left_out, "refused meanwhile"),
            Kind::Cut => tracing::warn!(source, reason, left_out, "connections refused meanwhile"),
            Kind::Fault => tracing::error!(source, reason, left_out, "failed meanwhile"),
        }
    }
}

/// The journal is whole between any two statements, so a panic elsewhere leaves nothing to distrust.
fn journal() -> MutexGuard<'static, Journal> {
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    fn new(now: Instant) -> Self {
        Self { entries: HashMap::new(), interval_began: now, first_lines: 0, left_out_of_others: 0 }
    }

    fn admit(&mut self, source: Source, reason: &'static str, kind: Kind, now: Instant) -> Option<u64> {
        let key = (source, reason);
        if let Some(entry) = self.entries.get_mut(&key) {
            if now.saturating_duration_since(entry.touched) < INTERVAL {
                entry.left_out = entry.left_out.saturating_add(1);
                return None;
            }
            entry.touched = now;
            return Some(std::mem::take(&mut entry.left_out));
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.forget_oldest();
        }
        let is_told = kind == Kind::Fault || self.may_tell_first(now);
        self.entries.insert(key, Entry { kind, touched: now, left_out: u64::from(!is_told) });
        is_told.then_some(0)
    }

    fn may_tell_first(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.interval_began) >= INTERVAL {
            (self.interval_began, self.first_lines) = (now, 0);
        }
        let is_told = self.first_lines < FIRST_LINES_MAX;
        self.first_lines = self.first_lines.saturating_add(u32::from(is_told));
        is_told
    }

    fn forget_oldest(&mut self) {
        // Faults of our own are few kinds, and their counts are told as such: they go last.
        let age = |entry: &Entry| (entry.kind == Kind::Fault, entry.touched);
        let oldest = self.entries.iter().min_by_key(|(_, entry)| age(entry)).map(|(key, _)| key.clone());
        let forgotten = oldest.and_then(|key| self.entries.remove(&key));
        let left_out = forgotten.map_or(0, |entry| entry.left_out);
        self.left_out_of_others = self.left_out_of_others.saturating_add(left_out);
    }

    /// The counts that are so old, which are told by that; and forgets entries of which there is nothing to tell.
    fn left_out(&mut self, now: Instant, age: Duration) -> Vec<Summary> {
        let mut summaries = Vec::new();
        self.entries.retain(|(source, reason), entry| {
            if now.saturating_duration_since(entry.touched) < age {
                return true;
            }
            let left_out = std::mem::take(&mut entry.left_out);
            if left_out > 0 {
                entry.touched = now;
                summaries.push(Summary { source: source.to_string(), reason, kind: entry.kind, left_out });
            }
            left_out > 0
        });
        let left_out = std::mem::take(&mut self.left_out_of_others);
        if left_out > 0 {
            let source = "all others".to_owned();
            summaries.push(Summary { source, reason: "any", kind: Kind::Refusal, left_out });
        }
        summaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(name: &str) -> Source {
        Source::Party(name.to_owned())
    }

    #[test]
    fn the_first_of_a_source_and_reason_is_told_at_once_and_then_one_per_interval_with_the_count() {
        let start = Instant::now();
        let mut journal = Journal::new(start);
        let cases = [
            (0, "airline", "RATE_LIMITED", Some(0)),
            (1, "airline", "RATE_LIMITED", None),
            (2, "airline", "OVERLOADED", Some(0)),
            (3, "market", "RATE_LIMITED", Some(0)),
            (9_999, "airline", "RATE_LIMITED", None),
            (10_000, "airline", "RATE_LIMITED", Some(2)),
            (10_001, "airline", "RATE_LIMITED", None),
            (30_000, "airline", "RATE_LIMITED", Some(1)),
        ];
        for (millis, source, reason, expected) in cases {
            let now = start + Duration::from_millis(millis);
            let found = journal.admit(party(source), reason, Kind::Refusal, now);
            assert_eq!(found, expected, "{source} {reason} at {millis} ms");
        }
    }

    #[test]
    fn the_count_of_a_flood_that_ended_is_told_too() {
        let start = Instant::now();
        let mut journal = Journal::new(start);
        for _ in 0..5 {
            let _ = journal.admit(party("airline"), "RATE_LIMITED", Kind::Refusal, start);
        }
        assert_eq!(journal.left_out(start + Duration::from_secs(9), INTERVAL), []);
        let later = start + INTERVAL;
        let summary = Summary {
            source: "airline".to_owned(),
            reason: "RATE_LIMITED",
            kind: Kind::Refusal,
            left_out: 4,
        };
        assert_eq!(journal.left_out(later, INTERVAL), [summary]);
        assert_eq!(journal.left_out(later + INTERVAL, INTERVAL), []);
        assert!(journal.entries.is_empty(), "what there is nothing to tell of is forgotten");
    }

    /// A flood of 100,000 refusals in nine seconds; answers with the lines that it wrote at once, and the total of all counts.
    fn flood(source: impl Fn(u32) -> Source) -> (usize, u64, usize) {
        const REFUSALS: u32 = 100_000;
        let start = Instant::now();
        let mut journal = Journal::new(start);
        let (mut lines, mut counted, mut most) = (0, 0, 0);
        for number in 0..REFUSALS {
            let now = start + Duration::from_micros(u64::from(number) * 90);
            if let Some(left_out) = journal.admit(source(number), "RATE_LIMITED", Kind::Refusal, now) {
                lines += 1;
                counted += left_out + 1;
            }
            most = most.max(journal.entries.len());
        }
        let summaries = journal.left_out(start, Duration::ZERO);
        assert!(summaries.len() <= ENTRIES_MAX + 1);
        counted += summaries.iter().map(|summary| summary.left_out).sum::<u64>();
        assert_eq!(counted, u64::from(REFUSALS), "every refusal is counted once");
        (lines, counted, most)
    }

    #[test]
    fn a_flood_of_a_hundred_thousand_refusals_writes_few_lines_and_is_counted_in_full() {
        let (lines, ..) = flood(|number| party(if number % 2 == 0 { "airline" } else { "market" }));
        assert_eq!(lines, 2);
        let (lines, _, entries) = flood(|number| Source::at(IpAddr::V4(number.into())));
        assert_eq!(lines, usize::try_from(FIRST_LINES_MAX).unwrap());
        assert_eq!(entries, ENTRIES_MAX, "its memory is bounded");
    }

    #[test]
    fn a_fault_of_our_own_is_never_silent() {
        let now = Instant::now();
        let mut journal = Journal::new(now);
        for number in 0..FIRST_LINES_MAX + 10 {
            let _ = journal.admit(Source::at(IpAddr::V4(number.into())), "RATE_LIMITED", Kind::Refusal, now);
        }
        assert_eq!(journal.admit(party("market"), "RATE_LIMITED", Kind::Refusal, now), None);
        assert_eq!(journal.admit(party("market"), "INTERNAL", Kind::Fault, now), Some(0));
        assert_eq!(journal.admit(party("market"), "INTERNAL", Kind::Fault, now), None);
    }
}
