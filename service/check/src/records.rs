//! Records: whether their bytes can be trusted.
//!
//! Record bytes are what everything else is measured by, so that they come first: hash, form, columns. A record that
//! fails its hash or form is *doubtful*: it is reported once, nothing is derived from it, and the rows that were written
//! beside it are taken at their word, so that one damaged record does not accuse every row that hangs on it. A record
//! that rows are stored of and that is not there at all is treated alike.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::content::{Content, SCHEMA};
use crate::invariant::Invariant;
use crate::names::{Name, Names, or_none};
use crate::report::Findings;
use crate::values::{canonical, hex, sha256};

/// What record hashes begin with.
const PREFIX: &[u8] = b"pointbridge/record/v1\0";

/// A row of `record`.
pub(crate) struct RecordRow {
    pub(crate) record_id: String,
    pub(crate) kind: String,
    pub(crate) decided_at: i64,
    pub(crate) window_id: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// A record that can be trusted: its name, what it says, and the same as plain JSON.
pub(crate) struct Proven {
    pub(crate) name: Name,
    pub(crate) content: Content,
    pub(crate) value: Value,
}

/// What is kept of records: ids and kinds, no bytes.
#[derive(Debug, Default)]
pub(crate) struct Records {
    proven: BTreeSet<Name>,
    /// Records that prove nothing.
    doubtful: BTreeSet<Name>,
    /// The kinds of those.
    doubtful_kinds: BTreeSet<Name>,
    /// Records that lines or requests are stored of and that are not there.
    missing: BTreeSet<Name>,
}

impl Records {
    /// Reads a record. `None` where it proves nothing.
    pub(crate) fn read(
        &mut self,
        row: &RecordRow,
        names: &mut Names,
        findings: &mut Findings,
    ) -> Option<Proven> {
        let Some((content, value)) = prove(row, findings) else {
            self.doubtful.insert(names.of(&row.record_id));
            self.doubtful_kinds.insert(names.of(&row.kind));
            return None;
        };
        compare_columns(row, &content, findings);
        let name = names.of(&content.record_id);
        self.proven.insert(name.clone());
        Some(Proven { name, content, value })
    }

    /// Whether a record can be trusted. One that is not there is reported, once.
    pub(crate) fn proves(&mut self, record: &Name, findings: &mut Findings) -> bool {
        findings.checked(Invariant::RecordMissing);
        let is_known = self.proven.contains(record) || self.doubtful.contains(record);
        if !is_known && self.missing.insert(record.clone()) {
            findings.add(
                Invariant::RecordMissing,
                format!("record {record}"),
                "a record with this id, because lines are stored of it",
                "none",
            );
        }
        self.proven.contains(record)
    }

    /// Whether a record is known to prove nothing: doubtful, or missing.
    pub(crate) fn is_silent(&self, record: &str) -> bool {
        self.doubtful.contains(record) || self.missing.contains(record)
    }

    /// Whether records of one of these kinds prove nothing, so that what they alone could say cannot be judged.
    pub(crate) fn have_gap(&self, kinds: &[&str]) -> bool {
        self.have_missing() || kinds.iter().any(|kind| self.doubtful_kinds.contains(*kind))
    }

    /// Whether lines or requests are stored of a record that is not there.
    pub(crate) fn have_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Notes that a record is not there: what it would have proven is in doubt. Answers whether that is news.
    pub(crate) fn miss(&mut self, record: &str) -> bool {
        self.missing.insert(Name::from(record))
    }
}

fn prove(row: &RecordRow, findings: &mut Findings) -> Option<(Content, Value)> {
    let name = || format!("record {}", row.record_id);
    let expected = hex(&sha256(&[PREFIX, &row.bytes]));
    if !findings.compare(Invariant::RecordHash, name(), &expected, &hex(&row.hash)) {
        return None;
    }
    findings.checked(Invariant::RecordForm);
    let read = serde_json::from_slice::<Value>(&row.bytes)
        .and_then(|value| serde_json::from_value::<Content>(value.clone()).map(|content| (content, value)));
    let (content, value) = match read {
        Ok(read) => read,
        Err(error) => {
            findings.add(Invariant::RecordForm, name(), format!("a record of schema {SCHEMA}"), error);
            return None;
        }
    };
    if content.schema != SCHEMA {
        findings.add(Invariant::RecordForm, name(), SCHEMA, &content.schema);
        return None;
    }
    if canonical(&value).as_bytes() != row.bytes {
        findings.add(Invariant::RecordForm, name(), "canonical bytes", "other bytes of the same content");
    }
    Some((content, value))
}

fn compare_columns(row: &RecordRow, content: &Content, findings: &mut Findings) {
    let text = |id: &str, kind: &str, at: i64, window: Option<&str>| {
        format!("{id}, {kind}, decided at {at}, window {}", or_none(window))
    };
    let window = content.window_id.as_deref();
    let expected = text(&content.record_id, &content.kind, content.decided_at.0, window);
    let found = text(&row.record_id, &row.kind, row.decided_at, row.window_id.as_deref());
    findings.compare(Invariant::RecordColumns, format!("record {}", row.record_id), &expected, &found);
}
