//! The database: whether it is whole, current, and in the hands of the keys beside it.

use std::path::Path;

use pointbridge_store::StoreError;
use pointbridge_store_sqlite::{Contents, Lock, SqliteStore, contents, extent};

use super::{Finding, Known, disk};
use crate::config::DATABASE_FILE;
use crate::keys::KeyRing;

const CHECK: &str = "database";
const KEYS: &str = "secret keys";

/// Whether somebody has the database open, a hub above all.
pub(super) fn is_open(data: &Path) -> bool {
    let database = data.join(DATABASE_FILE);
    database.exists() && matches!(Lock::alone(&database), Ok(None))
}

pub(super) async fn look(data: &Path, is_open: bool, findings: &mut Vec<Finding>) -> Known {
    let mut known = Known { contents: None, bytes: 0 };
    let database = data.join(DATABASE_FILE);
    let keys = KeyRing::load(data);
    if let Err(error) = &keys {
        findings.push(Finding::fail(KEYS, error.to_string()));
    }
    if !database.is_file() {
        let what =
            format!("there is no {}: run `pointbridge bootstrap`, or restore a backup", database.display());
        findings.push(Finding::fail(CHECK, what));
        return known;
    }
    // Before the look, which moves the log of a hub that was killed into the database and takes its mark away.
    let crash = crash_of(&database, is_open);
    let looked = match extent(&database).await {
        Ok(extent) => contents(&database).await.map(|found| (extent, found)),
        Err(error) => Err(error),
    };
    let (extent, contents, code) = match looked {
        Ok((extent, Some((contents, code)))) => (extent, Some(contents), code),
        Ok((extent, None)) => (extent, None, None),
        Err(error) => {
            findings.push(Finding::fail(CHECK, unreadable(&error)));
            return known;
        }
    };
    findings.push(crash.unwrap_or_else(|| contents.as_ref().map_or_else(never_served, schema_of)));
    findings.push(disk::of_log(extent.log));
    if let Ok(keys) = keys {
        findings.push(match code {
            Some((id, hash)) if !keys.made_link_code(id, hash) => Finding::fail(
                KEYS,
                "keys.json did not make the link codes of this database: put back the keys that belong to it",
            ),
            Some(_) => Finding::ok(KEYS, "keys.json belongs to this database"),
            None => Finding::ok(KEYS, "keys.json can be used; nothing in the database was made with it yet"),
        });
    }
    known.bytes = extent.used.saturating_add(extent.log);
    known.contents = contents;
    known
}

fn crash_of(database: &Path, is_open: bool) -> Option<Finding> {
    if SqliteStore::lacks_its_log(database) {
        let what = "the hub did not end in order, and its log is gone: what it acknowledged last may be lost; put the file \
                    -wal back beside the database, or restore a backup";
        return Some(Finding::fail(CHECK, what));
    }
    (!is_open && SqliteStore::is_marked_open(database)).then(|| {
        Finding::warn(
            CHECK,
            "the hub did not end in order: its log is there, so that nothing is lost; see its journal for the reason",
        )
    })
}

fn never_served() -> Finding {
    Finding::ok(CHECK, "no hub has served it yet")
}

fn schema_of(contents: &Contents) -> Finding {
    let (pending, records) = (&contents.migrations_pending, contents.records);
    if pending.is_empty() {
        return Finding::ok(CHECK, format!("{records} records; its commits last (write-ahead log, synced)"));
    }
    let what =
        format!("migrations are pending: {}; `serve` runs them: make a backup before", pending.join(", "));
    Finding::warn(CHECK, what)
}

fn unreadable(error: &StoreError) -> String {
    match error {
        StoreError::Schema(_) => format!("{error}: run the program that wrote it, or a newer one"),
        other => other.to_string(),
    }
}
