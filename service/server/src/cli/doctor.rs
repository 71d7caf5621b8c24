//! `pointbridge doctor`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::out;
use super::serve::ServeArgs;
use super::sourced::Sourced;
use crate::doctor::{Finding, Verdict, examine};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    serve: Sourced<ServeArgs>,
    /// End with code 1 for warnings too.
    #[arg(long)]
    strict: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let config = args.serve.effective()?.config;
    let findings = examine(&args.serve.args.data.data, config).await;
    let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    if args.json {
        out::line(json!({"worst": worst, "findings": findings}));
    } else {
        print(&findings);
    }
    let is_ill = worst == Verdict::Fail || (args.strict && worst == Verdict::Warn);
    Ok(if is_ill { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(findings: &[Finding]) {
    let mut table = out::table(["check", "verdict", "what was found, and what to do"]);
    for finding in findings {
        table.add_row([finding.check, finding.verdict.as_str(), &finding.found]);
    }
    out::line(table);
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    out::line(format_args!(
        "{} in order, {} to look at, {} that must be mended",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Fail)
    ));
}
