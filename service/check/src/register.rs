//! Registers: what the rows of one table should say by the records, until the rows come.
//!
//! Rows come after all records, so that an entry is let go as soon as its row was compared. Where a record that tells of
//! the table proves nothing, the table is not judged.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::invariant::Invariant;
use crate::records::Records;
use crate::report::Findings;

/// The rows of one table, by key.
#[derive(Debug)]
pub(crate) struct Register<T> {
    invariant: Invariant,
    /// The table, as findings name it.
    table: &'static str,
    /// The kinds of records that tell of the table.
    kinds: &'static [&'static str],
    expected: BTreeMap<String, T>,
}

impl<T: PartialEq + Display> Register<T> {
    pub(crate) const fn new(
        invariant: Invariant,
        table: &'static str,
        kinds: &'static [&'static str],
    ) -> Self {
        Self { invariant, table, kinds, expected: BTreeMap::new() }
    }

    /// Notes what a row should say from now on.
    pub(crate) fn expect(&mut self, key: String, row: T) {
        self.expected.insert(key, row);
    }

    /// Notes that a row should be gone if it says this.
    pub(crate) fn expect_no_more(&mut self, key: &str, row: &T) {
        if self.expected.get(key) == Some(row) {
            self.expected.remove(key);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&T> {
        self.expected.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        self.expected.get_mut(key)
    }

    /// Whether records that tell of the table prove nothing.
    pub(crate) fn has_gap(&self, records: &Records) -> bool {
        records.have_gap(self.kinds)
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, key: &str, found: &T, records: &Records, findings: &mut Findings) {
        if self.has_gap(records) {
            return;
        }
        let row = format!("{} {key}", self.table);
        if let Some(expected) = self.expected.remove(key) {
            findings.compare(self.invariant, row, &expected, found);
        } else {
            findings.checked(self.invariant);
            findings.add(self.invariant, row, "none", found);
        }
    }

    /// Reports the rows that never came.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        if self.has_gap(records) {
            return;
        }
        for (key, expected) in &self.expected {
            findings.checked(self.invariant);
            findings.add(self.invariant, format!("{} {key}", self.table), expected, "none");
        }
    }
}
