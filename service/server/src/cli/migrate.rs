//! `pointbridge migrate`.

use std::process::ExitCode;

use clap::Args;
use pointbridge_store_sqlite::SqliteStore;

use super::{DataArgs, out};
use crate::config::DATABASE_FILE;

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let path = args.data.data.join(DATABASE_FILE);
    let pending = SqliteStore::pending_migrations(&path).await?;
    if pending.is_empty() {
        out::line(format_args!("{} is up to date", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    if !args.dry_run {
        SqliteStore::migrate(&path).await?;
    }
    let done = if args.dry_run { "would be applied to" } else { "applied to" };
    for migration in &pending {
        out::line(format_args!("{migration} {done} {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}
