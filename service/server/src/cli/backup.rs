//! `pointbridge backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{DataArgs, out, take_limit_of_file_sizes};
use crate::backup::{Made, Manifest, Proof, make};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The file to write, or a folder, where the file is named by the time. Never written over another file.
    #[arg(long, value_name = "FILE OR FOLDER")]
    to: PathBuf,
    /// Do not prove the books of the copy, only that its pages are sound.
    #[arg(long)]
    no_check: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let _limit = take_limit_of_file_sizes()?;
    let proof = if args.no_check { Proof::Pages } else { Proof::PagesAndBooks };
    let made = make(&args.data.data, &args.to, proof).await?;
    if args.json {
        out::line(json!({
            "file": made.file,
            "manifest_file": made.manifest_file,
            "manifest": made.manifest,
            "log_bytes": made.log_bytes,
            "books_not_proven": made.books_not_proven,
        }));
    } else {
        print(&made);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(made: &Made) {
    let Manifest { bytes, sha256, epoch, last_decided_at, records, migrations, keys, books_proven, .. } =
        &made.manifest;
    let keys = keys.as_ref().map_or_else(
        || "unknown: keys.json cannot be read".to_owned(),
        |keys| {
            let versions: Vec<String> = keys.quote_key_versions.iter().map(u8::to_string).collect();
            format!("quote keys {}, link-code key {}", versions.join(" and "), keys.link_code_key_check)
        },
    );
    let proven = if *books_proven { "pages and books" } else { "pages" };
    let mut table = out::table(["what", "value"]);
    for (what, value) in [
        ("backup", made.file.display().to_string()),
        ("manifest", made.manifest_file.display().to_string()),
        ("bytes", bytes.to_string()),
        ("SHA-256", sha256.clone()),
        ("epoch", epoch.to_string()),
        ("decided until", last_decided_at.clone()),
        ("records", records.to_string()),
        ("schema", migrations.last().cloned().unwrap_or_default()),
        ("keys it needs", keys),
        ("proven", proven.to_owned()),
    ] {
        table.add_row([what, &value]);
    }
    out::line(table);
    if let Some(why) = &made.books_not_proven {
        out::line(format_args!("the books were not proven: {why}"));
    }
    out::line(
        "the keys are not in it: keep keys.json and the pki folder apart from it, as deploy/BACKUP.md says",
    );
}
