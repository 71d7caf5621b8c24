//! `pointbridge check`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use pointbridge_check::Report;
use pointbridge_store_sqlite::{Options, SqliteStore, system_clock};

use super::{DataArgs, out};
use crate::config::DATABASE_FILE;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let path = args.data.data.join(DATABASE_FILE);
    anyhow::ensure!(
        path.is_file(),
        "there is no database {}: name the hub's folder with --data",
        path.display()
    );
    let options = Options { path, clock: system_clock()?, statement_hook: None, readers: 1, migrate: false };
    let store = SqliteStore::open(options).await?;
    // Draws only on a terminal; a large database takes minutes.
    let progress = ProgressBar::new_spinner().with_message("reading every row");
    progress.enable_steady_tick(Duration::from_millis(100));
    let report = pointbridge_check::run(&store).await;
    progress.finish_and_clear();
    // Also where it failed: closing moves the log of a hub that was killed into the database.
    store.close().await;
    let report = report?;
    if args.json {
        out::line(report.to_json());
    } else {
        print(&report);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) {
    let mut table = out::table(["invariant", "what holds", "checked", "broken"]);
    for invariant in &report.invariants {
        table.add_row([
            invariant.name().to_owned(),
            invariant.sentence().to_owned(),
            invariant.checked.to_string(),
            invariant.findings_total.to_string(),
        ]);
    }
    out::line(table);
    for invariant in &report.invariants {
        for finding in &invariant.findings {
            out::line(format_args!(
                "{}: {}: expected {}, found {}",
                invariant.name(),
                finding.row,
                finding.expected,
                finding.found
            ));
        }
    }
    let verdict = if report.is_clean() { "everything adds up" } else { "SOMETHING DOES NOT ADD UP" };
    out::line(format_args!("{} rows read: {verdict}", report.rows));
}
