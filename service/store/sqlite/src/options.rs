//! How a store is opened: where it is, what its clock is, how many may read at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pointbridge_core::time::Timestamp;
use pointbridge_store::StoreError;

/// Tells what time it is. It may go back: the store never decides on an earlier time than it did before.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is shown the text of every statement before it runs; the values that are bound to it never.
pub type StatementHook = Arc<dyn Fn(&str) + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// The database's file. A new one can be read and written by its owner only.
    pub path: PathBuf,
    /// The store's clock; [`system_clock`] for the machine's.
    pub clock: Clock,
    /// Is shown the text of every statement, so that statements can be counted.
    pub statement_hook: Option<StatementHook>,
    /// How many may read at a time, beside the one that writes; at least 1.
    pub readers: u32,
    /// Whether to bring the schema up to date, and to make the file where there is none. Without it, an open of a database
    /// that has migrations pending is an error.
    pub migrate: bool,
}

/// The machine's clock.
///
/// Should the clock be set outside of the years 1970 to 9999 later on, the moment of this call stands in for it, and the
/// store's rule that time does not go back does the rest.
///
/// # Errors
/// [`StoreError::Unavailable`] where the clock is outside of these years now.
pub fn system_clock() -> Result<Clock, StoreError> {
    let started = read_clock()
        .ok_or_else(|| StoreError::Unavailable("the machine's clock is not between 1970 and 9999".into()))?;
    Ok(Arc::new(move || read_clock().unwrap_or(started)))
}

fn read_clock() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?)
}
