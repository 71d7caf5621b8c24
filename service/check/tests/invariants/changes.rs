//! What a case does to the book: changes one row, or seals a record anew with another content.

use pointbridge_store::AuditRow;
use serde_json::Value;

use crate::book::{book, reversed};
use crate::rows::{id, seal};

/// Changes exactly one row.
macro_rules! change {
    ($rows:expr, $pattern:pat $(if $guard:expr)? => $change:expr) => {{
        let mut changed = 0;
        for row in $rows.iter_mut() {
            match row {
                $pattern $(if $guard)? => { $change; changed += 1; }
                _ => {}
            }
        }
        assert_eq!(changed, 1, "the case must change one row: {}", stringify!($pattern));
    }};
}

/// Seals a record anew with another content.
pub(crate) fn forge(rows: &mut [AuditRow], number: u128, change: impl FnOnce(&mut Value)) {
    let wanted = id("rec", number);
    let record = rows.iter_mut().find_map(|row| match row {
        AuditRow::Record { record_id, bytes, hash, .. } if *record_id == wanted => Some((bytes, hash)),
        _ => None,
    });
    let (bytes, hash) = record.unwrap();
    let mut content: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut content);
    (*bytes, *hash) = seal(&content);
}

/// What is expected to be found, and the rows.
pub(crate) struct Case {
    pub(crate) expected: String,
    pub(crate) rows: Vec<AuditRow>,
}

pub(crate) fn case(expected: impl Into<String>, change: impl FnOnce(&mut Vec<AuditRow>)) -> Case {
    let mut rows = book();
    change(&mut rows);
    Case { expected: expected.into(), rows }
}

/// A case in the book with a reversal.
pub(crate) fn case_reversed(expected: impl Into<String>, change: impl FnOnce(&mut Vec<AuditRow>)) -> Case {
    let mut rows = reversed();
    change(&mut rows);
    Case { expected: expected.into(), rows }
}

/// A record, as findings name it.
pub(crate) fn record(number: u128) -> String {
    format!("record {}", id("rec", number))
}

pub(crate) use change;
