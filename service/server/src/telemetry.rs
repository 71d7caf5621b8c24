//! Signals: structured logs, one JSON object a line, on standard error.
//!
//! No log line holds a member's identifier, a reference, an amount or a token: lines are made of fixed texts, methods,
//! partner codes, counts and times. Absent: traces and metrics.

use tracing_subscriber::EnvFilter;

/// What is logged where nothing else is asked for.
pub const FILTER_DEFAULT: &str = "info";

/// Starts logging. `filter` is in the form of `RUST_LOG`: a level, or levels by module.
///
/// # Errors
/// Where the filter cannot be read, with the place that is wrong. A second call has no effect.
pub fn start_logging(filter: Option<&str>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(FILTER_DEFAULT)).map_err(|error| {
        anyhow::anyhow!("the log filter cannot be read: {error}; use a level such as info or debug")
    })?;
    // A line that cannot be written, as on a full disk, is lost: complaining of it on the same stream would end the process.
    let logger = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let _ = logger.try_init();
    Ok(())
}

/// What is wrong with a filter, as a mistake of the configuration's key `log`.
#[must_use]
pub fn filter_mistake(filter: &str) -> Option<String> {
    let error = EnvFilter::try_new(filter).err()?;
    Some(format!("log: {error}; write a level such as info or debug, or levels by module"))
}
