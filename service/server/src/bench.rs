//! `pointbridge bench`: how fast the hub is on this machine, and what bounds it.
//!
//! A hub and a driver, each a process of its own, exchange points over mutual TLS; between their rounds the same driver
//! calls a server that only answers, so that what the transport allows is known from the same minutes. Then the store is
//! measured without a transport, the database is counted and checked, and all of it is told. Absent: any way of the hub's
//! own code that a partner would not take, except that members are written in bulk.

mod alone;
mod batches;
mod books;
mod driver;
mod echo;
mod ground;
mod members;
mod order;
mod process;
mod report;
mod rounds;
mod table;
mod times;
mod verdict;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use self::report::Report;
use crate::secret_file;

pub use driver::run as drive;
pub use echo::run as echo;
pub use ground::HubSetting;

/// How often the line of progress moves.
const TICK: Duration = Duration::from_millis(100);

/// How to run a bench.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections to each server, 1 to 64: as many as the hub lets a partner have.
    pub connections: usize,
    /// Exchanges under way on each connection, 1 to 100: as many as the hub lets a connection have.
    pub in_flight: usize,
    /// How long a round is.
    pub length: Length,
    /// How many rounds, at least 1.
    pub rounds: usize,
    /// How many members, at least 1.
    pub members: usize,
    /// How many exchanges come before the first round, at least 1.
    pub warmup: usize,
    /// The folder to run in, new or empty; `None` for a fresh one among the temporary files.
    pub data: Option<PathBuf>,
    /// Keep the folder.
    pub keep_data: bool,
    /// Settings of the hub.
    pub hub_settings: Vec<HubSetting>,
    /// Settings of a second hub, to be compared with the first one.
    pub compare_settings: Vec<HubSetting>,
    /// Print one JSON object instead of tables.
    pub json: bool,
}

/// How long a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many exchanges.
    Exchanges(usize),
    /// About so many seconds, judged by the rate before the first round.
    Seconds(usize),
}

/// Runs a bench. The exit code is 0 where driver and store count the same and `check` finds nothing, whatever the figures.
///
/// # Errors
/// A process does not start, a call is not answered with success, or the bench is interrupted.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let folder = std::path::absolute(options.data.clone().unwrap_or_else(temporary_folder))?;
    secret_file::create_folder(&folder)?;
    let is_empty = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is not empty: name a new folder, or an empty one", folder.display());
    let progress = Progress::new()?;
    let found = perform(&options, &folder, &progress).await;
    progress.done();
    if options.keep_data {
        let _ = writeln!(std::io::stderr(), "everything is kept in {}", folder.display());
    } else {
        let removed = std::fs::remove_dir_all(&folder);
        removed.with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let report = found?;
    let text = if options.json { serde_json::to_string_pretty(&report)? } else { table::text(&report) };
    writeln!(std::io::stdout(), "{text}")?;
    let faults = verdict::faults(&report);
    for fault in &faults {
        let _ = writeln!(std::io::stderr(), "pointbridge: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder that nobody has yet.
fn temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("pointbridge-bench-{}", uuid::Uuid::new_v4().simple()))
}

/// Runs until it is done or told to end; children end with it.
async fn perform(options: &Options, folder: &Path, progress: &Progress) -> anyhow::Result<Report> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        report = rounds::run(options, folder, progress) => report,
        _ = terminate.recv() => bail!("told to end"),
        _ = interrupt.recv() => bail!("interrupted"),
    }
}

/// One line on the terminal that says what is going on; nothing where standard error is no terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new() -> anyhow::Result<Self> {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg} {elapsed:>4}")?);
        bar.enable_steady_tick(TICK);
        Ok(Self(bar))
    }

    /// Says what is going on.
    fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}
