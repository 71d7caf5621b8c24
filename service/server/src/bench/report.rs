//! What a bench found, in the form that programs read: `--json` prints it as it is.
//!
//! Times are microseconds, sizes bytes, rates per second. A rate is the median of the rounds. Absent: words for people.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};

use super::books::BatchSizes;
use super::order::{Percentiles, Times};
use super::process::CpuTime;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// This program's version.
    pub(super) version: &'static str,
    /// `release`, or `debug`, which is many times slower.
    pub(super) build: &'static str,
    /// Processors of this machine; hub, driver and disk share them.
    pub(super) processors: usize,
    /// What was asked for.
    pub(super) load: LoadAsked,
    /// The hub.
    pub(super) hub: HubFound,
    /// The hub with the other settings; null where there are none.
    pub(super) compare: Option<HubFound>,
    /// What the other settings change; null where there are none.
    pub(super) change: Option<Change>,
    /// The same calls at a server that only answers.
    pub(super) echo: EchoFound,
    /// The hub's exchanges by the echo's pairs of calls.
    #[serde(serialize_with = "number")]
    pub(super) exchanges_per_echo: Decimal,
    /// The store without a transport.
    pub(super) alone: AloneFound,
    /// What was wished for, and whether it is so.
    pub(super) figures: Vec<Figure>,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LoadAsked {
    /// Connections to each server.
    pub(super) connections: usize,
    /// Exchanges under way on each connection.
    pub(super) in_flight: usize,
    /// Rounds; in each, every server has its turn.
    pub(super) rounds: usize,
    /// Exchanges of each round.
    pub(super) exchanges_per_round: usize,
    /// Members with a membership at each of the two partners.
    pub(super) members: usize,
}

/// What was found of a hub.
#[derive(Debug, Serialize)]
pub(super) struct HubFound {
    /// Settings that were added to its configuration.
    pub(super) settings: BTreeMap<String, String>,
    /// Exchanges committed per second.
    pub(super) committed_per_second: u64,
    /// Quotes per second, which are taken outside of the rounds.
    pub(super) quotes_per_second: u64,
    /// Each round.
    pub(super) rounds: Vec<Round>,
    /// Times of all rounds together, as the client sees them.
    pub(super) times: Times,
    /// Times with one connection and one exchange under way, between the rounds.
    pub(super) one_caller: Times,
    /// Sizes of the batches of the rounds, as the store's records tell them.
    pub(super) batches: BatchSizes,
    /// Time on processors in the rounds.
    pub(super) cpu: CpuFound,
    /// The hub's memory.
    pub(super) memory: MemoryFound,
    /// Who counted how many.
    pub(super) counts: Counts,
    /// What exchanges left in the database.
    pub(super) database: DatabaseFound,
    /// What `check` said of the database afterwards.
    pub(super) check: CheckFound,
}

/// One server's turn in one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Round {
    /// Exchanges, or pairs of calls.
    pub(super) exchanges: u64,
    /// From the first call to the last answer.
    pub(super) micros: u64,
    /// The rate.
    pub(super) per_second: u64,
}

/// Time on processors.
#[derive(Debug, Serialize)]
pub(super) struct CpuFound {
    /// Seconds of the server for 1,000 exchanges.
    #[serde(serialize_with = "number")]
    pub(super) server_seconds_per_1000: Decimal,
    /// Seconds of the driver for 1,000 exchanges.
    #[serde(serialize_with = "number")]
    pub(super) client_seconds_per_1000: Decimal,
    /// How many processors the server kept busy.
    #[serde(serialize_with = "number")]
    pub(super) server_processors: Decimal,
    /// How many processors the driver kept busy.
    #[serde(serialize_with = "number")]
    pub(super) client_processors: Decimal,
    /// How many processors each kind of thread of the server kept busy, the busiest first.
    pub(super) server_threads: Vec<ThreadFound>,
}

/// A kind of thread.
#[derive(Debug, Serialize)]
pub(super) struct ThreadFound {
    /// Their name.
    pub(super) name: String,
    /// How many processors they kept busy together.
    #[serde(serialize_with = "number")]
    pub(super) processors: Decimal,
}

/// A hub's memory.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct MemoryFound {
    /// The most that was resident at any time.
    pub(super) peak_bytes: u64,
    /// The most that was resident within each quarter of the rounds.
    pub(super) quarters_bytes: [u64; 4],
}

/// Who counted how many exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Commits that were answered, in the rounds.
    pub(super) driver: u64,
    /// Commits that the store holds of the time of the rounds.
    pub(super) store: u64,
    /// Commits that were answered in all.
    pub(super) driver_in_all: u64,
    /// Commits that the store holds.
    pub(super) store_in_all: u64,
}

impl Counts {
    /// Whether both say the same.
    pub(super) fn agree(self) -> bool {
        self.driver == self.store && self.driver_in_all == self.store_in_all
    }
}

/// What exchanges leave in a database.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DatabaseFound {
    /// By how much the file grew, by exchanges.
    pub(super) bytes_per_exchange: u64,
    /// Rows that were added, by exchanges.
    #[serde(serialize_with = "number")]
    pub(super) rows_per_exchange: Decimal,
}

/// What `check` said.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckFound {
    /// Rows that it read.
    pub(super) rows: u64,
    /// Rows that are wrong.
    pub(super) findings: u64,
}

/// What other settings change: the compared hub by the first.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    /// Of the rate.
    #[serde(serialize_with = "number")]
    pub(super) rate: Decimal,
    /// Of the hub's time on processors.
    #[serde(serialize_with = "number")]
    pub(super) server_cpu: Decimal,
}

/// What was found of the echo.
#[derive(Debug, Serialize)]
pub(super) struct EchoFound {
    /// Pairs of calls per second.
    pub(super) pairs_per_second: u64,
    /// Each round.
    pub(super) rounds: Vec<Round>,
    /// Times of all rounds together.
    pub(super) times: Times,
    /// Times with one connection and one pair under way.
    pub(super) one_caller: Times,
    /// Time on processors in the rounds.
    pub(super) cpu: CpuFound,
    /// Bytes of the messages.
    pub(super) bytes: MessageBytes,
}

/// Bytes of the messages of an exchange.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct MessageBytes {
    /// A request to prepare.
    pub(super) prepare_request: usize,
    /// Its answer.
    pub(super) prepare_answer: usize,
    /// A request to commit.
    pub(super) commit_request: usize,
    /// Its answer.
    pub(super) commit_answer: usize,
}

/// What was found of the store without a transport.
#[derive(Debug, Serialize)]
pub(super) struct AloneFound {
    /// Batches of a fixed size, without the engine.
    pub(super) batches: Vec<BatchesFound>,
    /// Exchanges per second through the engine, with as many under way as in the rounds.
    pub(super) engine_per_second: u64,
    /// A commit of one row.
    pub(super) small_commit: Percentiles,
    /// A write of 4 KiB that is made to last.
    pub(super) page_sync: Percentiles,
}

/// Batches of one size.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BatchesFound {
    /// Commands of each batch: prepares, then commits.
    pub(super) commands: usize,
    /// Exchanges per second.
    pub(super) per_second: u64,
    /// SQL statements of an exchange's share of both batches.
    #[serde(serialize_with = "number")]
    pub(super) statements_per_exchange: Decimal,
    /// Time on processors for 1,000 exchanges.
    #[serde(serialize_with = "number")]
    pub(super) cpu_seconds_per_1000: Decimal,
}

/// Something that is wished for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    /// What.
    pub(super) figure: &'static str,
    /// How it should be.
    pub(super) wanted: String,
    /// How it is.
    pub(super) measured: String,
    /// Whether that is so.
    pub(super) is_met: bool,
}

impl CpuFound {
    /// Of a server's and the driver's time for so many exchanges in so many microseconds.
    pub(super) fn of(server: &CpuTime, client: &CpuTime, exchanges: u64, micros: u64) -> Self {
        let mut server_threads: Vec<ThreadFound> = server
            .by_name
            .iter()
            .map(|(name, nanos)| ThreadFound { name: name.clone(), processors: busy(*nanos, micros) })
            .filter(|thread| !thread.processors.is_zero())
            .collect();
        server_threads.sort_by_key(|thread| Reverse(thread.processors));
        Self {
            server_seconds_per_1000: seconds_per_1000(server.nanos(), exchanges),
            client_seconds_per_1000: seconds_per_1000(client.nanos(), exchanges),
            server_processors: busy(server.nanos(), micros),
            client_processors: busy(client.nanos(), micros),
            server_threads,
        }
    }
}

/// A number of decimals as JSON has numbers.
fn number<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.to_f64().unwrap_or_default())
}

/// A count by a time in microseconds, per second.
pub(super) fn per_second(count: u64, micros: u64) -> u64 {
    count.saturating_mul(1_000_000).checked_div(micros).unwrap_or_default()
}

/// One number by another, to thousandths; zero by nothing.
pub(super) fn ratio(one: u64, other: u64) -> Decimal {
    Decimal::from(one).checked_div(Decimal::from(other)).unwrap_or_default().round_dp(3)
}

/// Seconds on processors for 1,000 of a count: a nanosecond for each is a millionth of that.
pub(super) fn seconds_per_1000(nanos: u64, count: u64) -> Decimal {
    ratio(nanos / 1_000, count.saturating_mul(1_000))
}

/// How many processors were kept busy.
fn busy(nanos: u64, micros: u64) -> Decimal {
    ratio(nanos / 1_000, micros).round_dp(2)
}

/// The one in the middle; of two, the lower.
pub(super) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_ratios_and_medians_are_whole_and_never_divide_by_nothing() {
        assert_eq!((per_second(3, 2_000_000), per_second(3, 0)), (1, 0));
        assert_eq!((ratio(1, 3).to_string().as_str(), ratio(1, 0)), ("0.333", Decimal::ZERO));
        // 2 ms each are 2 s for 1,000.
        assert_eq!(seconds_per_1000(20_000_000, 10).to_string(), "2");
        assert_eq!((median(vec![3, 1, 2]), median(vec![4, 1]), median(Vec::new())), (2, 1, 0));
    }

    #[test]
    fn threads_are_told_by_how_busy_they_were() {
        let time = |pairs: &[(&str, u64)]| CpuTime {
            by_name: pairs.iter().map(|(name, nanos)| ((*name).to_owned(), *nanos)).collect(),
        };
        let server = time(&[("idle", 0), ("worker", 500_000_000), ("writer", 900_000_000)]);
        let found = CpuFound::of(&server, &time(&[("x", 250_000_000)]), 1_000, 1_000_000);
        let told: Vec<_> =
            found.server_threads.iter().map(|t| (t.name.as_str(), t.processors.to_string())).collect();
        assert_eq!(told, [("writer", "0.90".to_owned()), ("worker", "0.50".to_owned())]);
        assert_eq!(found.server_seconds_per_1000.normalize().to_string(), "1.4");
        assert_eq!(found.client_seconds_per_1000.normalize().to_string(), "0.25");
    }
}
