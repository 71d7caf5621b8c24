//! What the bench and its driver say to each other: one JSON object a line, an order down and what came of it up.
//!
//! The driver is a process of its own, so that what it costs is not counted as the hub's. Absent: times of single calls;
//! those stay in the driver, and their distribution is told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The two partners that exchange with each other: each starts every other exchange.
pub(super) const PARTNERS: [&str; 2] = ["airline", "supermarket"];

/// Who the calls are made as, within each partner.
pub(super) const SUBJECT: &str = "till-1";

/// What the driver is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(super) enum Order {
    /// Open connections to a server, by turns as each of the partners.
    Connect {
        /// What later orders call it.
        server: String,
        /// `https://host:port`.
        endpoint: String,
        /// The folder with the partners' certificates and the hub's authority.
        pki: PathBuf,
        /// How many.
        connections: usize,
    },
    /// Get quotes from a hub, to be used within two minutes.
    Quote {
        /// Which.
        server: String,
        /// How many.
        count: usize,
        /// Over how many of its connections they will be used.
        connections: usize,
    },
    /// Prepare and commit.
    Exchange(Load),
    /// Tell the bytes of the last answers.
    Samples,
}

/// A load: who is to be called, how often and how many at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Load {
    /// Which server.
    pub(super) server: String,
    /// Under which name the times are gathered, over several orders.
    pub(super) series: String,
    /// How many exchanges.
    pub(super) exchanges: usize,
    /// Over how many of its connections.
    pub(super) connections: usize,
    /// How many at a time on each connection.
    pub(super) in_flight: usize,
    /// What the prepares bring.
    pub(super) quotes: Quotes,
}

/// What prepares bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quotes {
    /// Quotes that were not used yet.
    Fresh,
    /// Quotes that were used before: the same bytes, for a server that does not look at them.
    Used,
}

/// What came of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub(super) enum Told {
    /// It was done.
    Done,
    /// Quotes were taken.
    Quoted {
        /// How long it took.
        micros: u64,
    },
    /// Exchanges were made.
    Exchanged(Exchanged),
    /// What the last answers were.
    Samples(Samples),
    /// It failed.
    Failed {
        /// What went wrong.
        what: String,
    },
}

/// What a load came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Exchanged {
    /// Exchanges whose commit was answered.
    pub(super) committed: u64,
    /// From the first call to the last answer.
    pub(super) micros: u64,
    /// When the first call began, microseconds since 1970.
    pub(super) began_at: i64,
    /// When the last answer was there.
    pub(super) ended_at: i64,
    /// The times of the whole series so far.
    pub(super) times: Times,
}

/// How long calls took, seen by the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    /// Prepare.
    pub(super) prepare: Percentiles,
    /// Commit.
    pub(super) commit: Percentiles,
    /// From the beginning of a prepare to the end of its commit.
    pub(super) both: Percentiles,
}

/// A distribution of times, in microseconds, to three digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Percentiles {
    /// Half of all took no longer.
    pub(super) p50: u64,
    /// 99 of 100.
    pub(super) p99: u64,
    /// 999 of 1,000.
    pub(super) p999: u64,
    /// All.
    pub(super) max: u64,
}

/// Bytes of requests and answers, so that an echo can be given the same sizes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Samples {
    /// Length of a request to prepare.
    pub(super) prepare_request_bytes: usize,
    /// Length of a request to commit.
    pub(super) commit_request_bytes: usize,
    /// An answer to a prepare, in hex.
    pub(super) prepare_answer: String,
    /// An answer to a commit, in hex.
    pub(super) commit_answer: String,
}
