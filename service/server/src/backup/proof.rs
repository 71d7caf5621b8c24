//! The proof of a copy: its bytes, its pages, its books.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use pointbridge_check::Report;
use pointbridge_store_sqlite::{SqliteStore, Still, system_clock};

/// How much is read at a time.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Findings that are told; whoever wants all of them asks `check`.
const FINDINGS_TOLD: usize = 5;

/// Copies a file's bytes to `out`, and answers with how many there are and their SHA-256.
pub(super) fn hashed(path: &Path, out: &mut dyn Write) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        context.update(part);
        out.write_all(part)?;
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok((bytes, HEXLOWER.encode(context.finish().as_ref())))
}

/// Refuses a copy whose pages, indexes or references are damaged.
pub(super) async fn require_sound(still: &mut Still, path: &Path) -> anyhow::Result<()> {
    let damage = still.damage().await.with_context(|| format!("{} is damaged", path.display()))?;
    anyhow::ensure!(damage.is_empty(), "{} is damaged: {}", path.display(), told(&damage));
    Ok(())
}

/// Recomputes the books of a copy.
pub(super) async fn books_of(path: &Path) -> anyhow::Result<Report> {
    let store = SqliteStore::open_still(path, system_clock()?).await?;
    let report = pointbridge_check::run(&store).await;
    store.close().await;
    Ok(report?)
}

/// Refuses books that do not add up, and tells the first findings.
pub(super) fn require_clean(report: &Report, whose: &str) -> anyhow::Result<()> {
    let findings = report.invariants.iter().flat_map(|invariant| {
        let name = invariant.name();
        invariant.findings.iter().map(move |finding| {
            format!("{name}: {}: expected {}, found {}", finding.row, finding.expected, finding.found)
        })
    });
    let findings: Vec<String> = findings.collect();
    anyhow::ensure!(report.is_clean(), "the books of {whose} do not add up: {}", told(&findings));
    Ok(())
}

fn told(lines: &[String]) -> String {
    let mut told: Vec<&str> = lines.iter().take(FINDINGS_TOLD).map(String::as_str).collect();
    if lines.len() > told.len() {
        told.push("…");
    }
    told.join("; ")
}
