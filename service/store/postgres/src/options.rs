//! How a store is opened: where the database is, whose clock counts, how many connections there may be.

use std::sync::Arc;

use pointbridge_core::time::Timestamp;

/// Is shown the text of every statement before it runs; the values that are bound to it never.
pub type StatementHook = Arc<dyn Fn(&str) + Send + Sync>;

/// A clock of the caller's own. It may go back: the store never decides on an earlier time than it did before.
pub type GivenClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Whose clock counts.
#[derive(Clone)]
pub enum Clock {
    /// The database's, which all hubs on it share, moved by so many microseconds: 0 but in tests.
    Database {
        /// How far it is moved.
        offset_micros: i64,
    },
    /// One that is given, for tests.
    Given(GivenClock),
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the database is and who asks: `postgres://user:password@host:port/database`, with `sslmode` and `sslrootcert`
    /// where the connection is encrypted. A path as the host (`%2Frun%2Fpostgresql`) is the folder of a socket.
    pub url: String,
    /// The store's clock.
    pub clock: Clock,
    /// Is shown the text of every statement, so that statements can be counted.
    pub statement_hook: Option<StatementHook>,
    /// How many may read at a time; at least 1.
    pub readers: u32,
    /// How many batches may write at a time; at least 1.
    pub writers: u32,
    /// Whether to bring the schema up to date first, which needs the role that owns it. Without it, an open of a database
    /// that has migrations pending is an error.
    pub migrate: bool,
}

/// How a database is brought up to date.
#[derive(Clone)]
pub struct Migration {
    /// Where the database is, as the role that owns the tables.
    pub url: String,
    /// The role that hubs run as: it is granted what they need, and no more. Without one, hubs run as the owner.
    pub hub_role: Option<String>,
    /// Whose clock a new store begins with.
    pub clock: Clock,
}
