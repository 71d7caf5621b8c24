//! What restores leave in the data folder: databases that were replaced, and a backup that was being made ready.
//!
//! Absent on purpose: removing any of it. Only people know whether somebody still looks into the old database.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::backup::STAGING_FOLDER;
use crate::config::DATABASE_FILE;

const CHECK: &str = "left by restores";
const MEGABYTE: u64 = 1_000_000;

/// Says nothing where nothing is left.
pub(super) fn look(data: &Path, findings: &mut Vec<Finding>) {
    let kept = format!("{DATABASE_FILE}.before-restore-");
    let mut remains: Vec<(String, u64)> = Vec::new();
    for entry in fs::read_dir(data).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&kept) {
            remains.push((name, entry.metadata().map_or(0, |file| file.len())));
        } else if name == STAGING_FOLDER {
            remains.push((format!("{name}/"), bytes_in(&entry.path())));
        }
    }
    if remains.is_empty() {
        return;
    }
    remains.sort();
    let told: Vec<String> =
        remains.iter().map(|(name, bytes)| format!("{name} ({} MB)", bytes.div_ceil(MEGABYTE))).collect();
    let what = format!(
        "{}: remove what nobody needs, for it has room and members' references in it; {STAGING_FOLDER}/ is of a restore that \
         runs, or of one that was killed, and the next one removes it",
        told.join(", ")
    );
    findings.push(Finding::warn(CHECK, what));
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |file| file.len())).fold(0, u64::saturating_add)
}
