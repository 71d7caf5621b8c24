//! What is measured now and then: the queue every second, and every fifteen what the store has open, the size of its files and
//! how long certificates still last.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use pointbridge_core::time::Timestamp;
use pointbridge_engine::Engine;
use pointbridge_store::{Pulse, Store};

use super::instruments::{Gauges, instruments};
use super::names;
use crate::config::Environment;
use crate::trust::{End, Trust};

/// Between two looks at the queue.
const QUEUE_INTERVAL: Duration = Duration::from_secs(1);
/// Looks at the queue for each look at everything else. What is open is counted row by row: 100,000 holds take about 0.1 s of a
/// reading connection, so that a look every fifteen seconds costs less than a hundredth of a processor.
const LOOKS_PER_ROUND: u32 = 15;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// What is watched.
pub struct Watched<S> {
    /// Where holds are.
    pub store: Arc<S>,
    /// Where commands wait.
    pub engine: Engine,
    /// What comes to its end.
    pub trust: Arc<Trust>,
    /// The database's file.
    pub database: PathBuf,
    /// Whether what the hub does counts.
    pub environment: Environment,
}

/// Measures for as long as it is run; ends at once where nothing is counted.
pub async fn run<S: Store>(watched: Watched<S>) {
    let Some(instruments) = instruments() else { return };
    let gauges = &instruments.gauges;
    let mut ticks = tokio::time::interval(QUEUE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        for look in 0..LOOKS_PER_ROUND {
            ticks.tick().await;
            gauges.queue.record(u64::try_from(watched.engine.waiting()).unwrap_or(u64::MAX), &[]);
            if look == 0 {
                match watched.store.pulse().await {
                    Ok(pulse) => tell_holds(gauges, &pulse),
                    Err(error) => instruments.store_failed("read", &error),
                }
                tell_standing(gauges, &watched);
            }
        }
    }
}

fn tell_holds(gauges: &Gauges, pulse: &Pulse) {
    let since = |time: Option<Timestamp>| time.map_or(Duration::ZERO, |time| between(time, pulse.now));
    gauges.holds_open.record(pulse.holds_open, &[]);
    gauges.holds_oldest_age.record(since(pulse.oldest_hold_at).as_secs_f64(), &[]);
    gauges.sweeper_lag.record(since(pulse.first_hold_ends_at).as_secs_f64(), &[]);
}

fn tell_standing<S>(gauges: &Gauges, watched: &Watched<S>) {
    let version = KeyValue::new(names::VERSION, env!("CARGO_PKG_VERSION"));
    let environment = KeyValue::new(names::ENVIRONMENT, watched.environment.as_str());
    gauges.build.record(1, &[version, environment]);
    let files = [("database", watched.database.clone()), ("log", log_of(&watched.database))];
    let size = |(file, path)| {
        let bytes = i64::try_from(std::fs::metadata(path).ok()?.len()).unwrap_or(i64::MAX);
        Some((bytes, vec![KeyValue::new(names::FILE, file)]))
    };
    gauges.store_size.set(files.into_iter().filter_map(size).collect());
    let remaining = |end: End| {
        let kind = KeyValue::new(names::CERTIFICATE_KIND, end.kind);
        let name = KeyValue::new(names::CERTIFICATE_NAME, end.whose);
        (end.seconds_left.div_euclid(SECONDS_PER_DAY), vec![kind, name])
    };
    gauges.certificate_remaining.set(watched.trust.ends().into_iter().map(remaining).collect());
}

/// SQLite's write-ahead log of a database.
fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The time from one moment to a later one; none where it is not later.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    let micros = later.micros().saturating_sub(earlier.micros());
    u64::try_from(micros).map_or(Duration::ZERO, Duration::from_micros)
}
