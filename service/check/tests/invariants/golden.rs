//! The rules' own golden records: the check, which shares no code with the rules, reads every kind of them.

use std::path::Path;

use pointbridge_store::AuditRow;
use serde_json::Value;

use crate::book::sha256;
use crate::{check, found};

/// How many kinds of records there are.
const KINDS: usize = 26;

/// The invariants that one record can break by itself.
const OF_ONE_RECORD: [&str; 6] =
    ["record-hash", "record-form", "record-lines", "postings-balance", "posting-program", "lots-of-record"];

#[test]
fn every_kind_of_golden_record_is_sound_in_itself() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let rows: Vec<AuditRow> = files
        .map(|file| {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.truncate(bytes.trim_ascii_end().len());
            let content: Value = serde_json::from_slice(&bytes).unwrap();
            AuditRow::Record {
                record_id: content["record_id"].as_str().unwrap().to_owned(),
                kind: content["kind"].as_str().unwrap().to_owned(),
                // Not compared here: the golden files have no columns.
                decided_at: 0,
                window_id: content.get("window_id").map(|id| id.as_str().unwrap().to_owned()),
                hash: sha256(&[b"pointbridge/record/v1\0", &bytes]),
                bytes,
            }
        })
        .collect();
    assert!(rows.len() >= KINDS, "a kind is missing");
    let found = found(&check(rows));
    let own: Vec<_> =
        found.iter().filter(|finding| OF_ONE_RECORD.iter().any(|name| finding.starts_with(name))).collect();
    assert!(own.is_empty(), "{own:?}");
}
