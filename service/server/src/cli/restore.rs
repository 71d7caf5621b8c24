//! `pointbridge restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{DataArgs, out, take_limit_of_file_sizes};
use crate::backup::{Accept, Carried, Fate, Request, Restored, restore};

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    data: DataArgs,
    /// The backup's file; its manifest lies beside it.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// What is accepted that a restore would else refuse; several with commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    accept: Vec<Accept>,
    /// Only tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let _limit = take_limit_of_file_sizes()?;
    let request = Request {
        from: args.from.clone(),
        data: args.data.data.clone(),
        accept: args.accept.iter().copied().collect(),
        dry_run: args.dry_run,
    };
    let restored = restore(&request).await?;
    if args.json {
        out::line(to_json(&restored, args.dry_run));
    } else {
        print(&restored, args.dry_run);
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(restored: &Restored, dry_run: bool) -> Value {
    let missing = restored.missing.as_ref().map(|missing| {
        let of = missing.iter().map(|kind| {
            json!({
                "kind": kind.kind, "records": kind.records,
                "first": kind.first.to_string(), "last": kind.last.to_string(),
            })
        });
        of.collect::<Vec<_>>()
    });
    let carried = restored
        .carried
        .iter()
        .map(|one| json!({"what": one.what, "who": one.who, "at": one.at, "fate": fate(one)}));
    json!({
        "restored": !dry_run,
        "epoch": restored.contents.epoch,
        "epoch_before": restored.epoch_before,
        "made_at": restored.made_at,
        "decided_until": restored.decided_until.to_string(),
        "records": restored.contents.records,
        "rows_checked": restored.rows,
        "missing": missing,
        "trust_since_unknown": restored.trust_since_unknown,
        "shut_out_again": carried.collect::<Vec<_>>(),
        "kept": restored.kept,
    })
}

fn fate(one: &Carried) -> String {
    match &one.fate {
        Fate::Again => "holds again".to_owned(),
        Fate::NothingLeft => "nothing left to do".to_owned(),
        Fate::Refused(why) => format!("LOST: {why}"),
    }
}

fn print(restored: &Restored, dry_run: bool) {
    let contents = &restored.contents;
    out::line(format_args!(
        "{} records, decided until {}; epoch {} after {}; {} rows read: everything adds up",
        contents.records, restored.decided_until, contents.epoch, restored.epoch_before, restored.rows
    ));
    match &restored.missing {
        None => out::line(format_args!(
            "what was decided after {} is lost: nothing tells what that was",
            restored.decided_until
        )),
        Some(missing) if missing.is_empty() => out::line("nothing is lost"),
        Some(missing) => {
            let mut table = out::table(["lost", "records", "first", "last"]);
            for kind in missing {
                let row = [
                    kind.kind.clone(),
                    kind.records.to_string(),
                    kind.first.to_string(),
                    kind.last.to_string(),
                ];
                table.add_row(row);
            }
            out::line(table);
        }
    }
    if restored.trust_since_unknown {
        out::line(format_args!(
            "which certificates were revoked or pinned, which partners suspended and which consents withdrawn after {} is not \
             known here: do it again before the partners call, from your own list",
            restored.decided_until
        ));
    }
    if !restored.carried.is_empty() {
        let mut table = out::table(["shut out after the backup", "by", "now"]);
        for one in &restored.carried {
            table.add_row([one.what.clone(), one.who.clone(), fate(one)]);
        }
        out::line(table);
    }
    if let Some(kept) = &restored.kept {
        out::line(format_args!("what was there lies in {}: remove it when nobody needs it", kept.display()));
    }
    if dry_run {
        out::line("this is what a restore would do: nothing was changed");
    } else {
        out::line("quotes of before are worth nothing; tell the partners what is lost, and start the hub");
    }
}
