//! What is wished for, and what must be so: figures are told, faults fail the bench.
//!
//! A figure depends on the machine and on what else it does; it is never a reason to fail. A count that is wrong or a
//! database that does not add up always is.

use rust_decimal::Decimal;

use super::report::{Counts, Figure, HubFound, Report};

/// The least part of the echo's pairs of calls that exchanges should reach, in thousandths.
const ECHO_PART_MIN: (i64, u32) = (500, 3);
/// What one caller may wait beyond two commits, in microseconds.
const ONE_CALLER_OVER_MAX: u64 = 1_000;
/// The most memory.
const MEMORY_MAX: u64 = 200 * 1024 * 1024;
/// By how many hundredths the last quarter's memory may be above the first one's.
const MEMORY_GROWTH_PER_CENT_MAX: u64 = 10;

/// Everything that must not be.
pub(super) fn faults(report: &Report) -> Vec<String> {
    [Some(&report.hub), report.compare.as_ref()].into_iter().flatten().flat_map(faults_of).collect()
}

fn faults_of(hub: &HubFound) -> Vec<String> {
    let mut faults = faults_of_counts(hub.counts);
    if hub.check.findings > 0 {
        faults.push(format!("check finds {} rows that are wrong", hub.check.findings));
    }
    faults
}

/// A bench that counted nothing has measured nothing, even where everybody agrees on that.
fn faults_of_counts(counts: Counts) -> Vec<String> {
    let mut faults = Vec::new();
    if !counts.agree() {
        faults.push(format!(
            "the driver counts {} exchanges ({} in all), and the store {} ({} in all)",
            counts.driver, counts.driver_in_all, counts.store, counts.store_in_all
        ));
    }
    if counts.driver == 0 {
        faults.push("no exchange was counted in the rounds: nothing was measured".to_owned());
    }
    faults
}

/// How the hub stands to what is wished for.
pub(super) fn figures(report: &Report) -> Vec<Figure> {
    let (part, wanted) = (report.exchanges_per_echo, Decimal::new(ECHO_PART_MIN.0, ECHO_PART_MIN.1));
    let (alone, commit) = (report.hub.one_caller.both.p50, report.alone.small_commit.p50);
    let most = commit * 2 + ONE_CALLER_OVER_MAX;
    let memory = report.hub.memory;
    let [first, _, _, last] = memory.quarters_bytes;
    let mebibytes = |bytes: u64| bytes.div_ceil(1024 * 1024);
    vec![
        Figure {
            figure: "exchanges by the echo's pairs of calls",
            wanted: format!("at least {}", wanted.normalize()),
            measured: part.to_string(),
            is_met: part >= wanted,
        },
        Figure {
            figure: "one caller alone, both phases, p50",
            wanted: format!("at most two commits of the store and 1 ms: {most} µs"),
            measured: format!("{alone} µs"),
            is_met: alone <= most,
        },
        Figure {
            figure: "the hub's memory at its peak",
            wanted: format!("at most {} MiB", mebibytes(MEMORY_MAX)),
            measured: format!("{} MiB", mebibytes(memory.peak_bytes)),
            is_met: memory.peak_bytes <= MEMORY_MAX,
        },
        Figure {
            figure: "the hub's memory from the first to the last quarter",
            wanted: format!("flat: at most {MEMORY_GROWTH_PER_CENT_MAX} % more"),
            measured: format!("{} to {} MiB", mebibytes(first), mebibytes(last)),
            is_met: last * 100 <= first * (100 + MEMORY_GROWTH_PER_CENT_MAX),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_must_agree_and_must_not_be_zero() {
        let counts = |driver, store| Counts { driver, store, driver_in_all: 20, store_in_all: 20 };
        assert!(faults_of_counts(counts(10, 10)).is_empty());
        assert_eq!(faults_of_counts(counts(10, 9)).len(), 1);
        assert_eq!(faults_of_counts(counts(0, 0)).len(), 1);
    }
}
