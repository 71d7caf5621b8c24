//! The report: per invariant how much was looked at, and which rows are wrong.
//!
//! Absent: tables and colours; whoever prints it decides how it looks.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Value, json};

use crate::invariant::Invariant;

/// One row that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The table and key, `account mbs_…` or `posting rec_…/2`.
    pub row: String,
    /// What the row should say.
    pub expected: String,
    /// What it says.
    pub found: String,
}

/// How one invariant came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvariantResult {
    /// Which.
    pub invariant: Invariant,
    /// How many rows or sums were looked at.
    pub checked: u64,
    /// The first wrong rows, at most [`InvariantResult::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many wrong rows there are in all.
    pub findings_total: u64,
}

impl InvariantResult {
    /// The most findings that a report keeps of one invariant: enough to see the pattern, whatever the damage.
    pub const FINDINGS_MAX: usize = 100;

    /// Its name, `account-posted`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.invariant.name()
    }

    /// What is true where it holds.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        self.invariant.sentence()
    }
}

/// What the check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many rows were read.
    pub rows: u64,
    /// How many of each table.
    pub tables: BTreeMap<&'static str, u64>,
    /// Every invariant, in the order of [`Invariant::ALL`].
    pub invariants: Vec<InvariantResult>,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.invariants.iter().all(|result| result.findings_total == 0)
    }

    /// The report as one JSON object: `clean`, `rows`, `tables`, `invariants`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let invariants: Vec<Value> = self.invariants.iter().map(to_json).collect();
        json!({
            "clean": self.is_clean(),
            "rows": self.rows,
            "tables": self.tables,
            "invariants": invariants,
        })
    }
}

fn to_json(result: &InvariantResult) -> Value {
    let finding =
        |finding: &Finding| json!({"row": finding.row, "expected": finding.expected, "found": finding.found});
    json!({
        "name": result.name(),
        "promise": result.invariant.promise(),
        "sentence": result.sentence(),
        "checked": result.checked,
        "findings_total": result.findings_total,
        "findings": result.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// Findings while they come in.
#[derive(Debug)]
pub(crate) struct Findings(BTreeMap<Invariant, InvariantResult>);

impl Findings {
    pub(crate) fn none() -> Self {
        let empty = |invariant: &Invariant| {
            let result = InvariantResult {
                invariant: *invariant,
                checked: 0,
                findings: Vec::new(),
                findings_total: 0,
            };
            (*invariant, result)
        };
        Self(Invariant::ALL.iter().map(empty).collect())
    }

    /// Counts one thing that is looked at.
    pub(crate) fn checked(&mut self, invariant: Invariant) {
        if let Some(result) = self.0.get_mut(&invariant) {
            result.checked = result.checked.saturating_add(1);
        }
    }

    /// Notes a wrong row.
    pub(crate) fn add(
        &mut self,
        invariant: Invariant,
        row: impl Into<String>,
        expected: impl Display,
        found: impl Display,
    ) {
        let Some(result) = self.0.get_mut(&invariant) else { return };
        result.findings_total = result.findings_total.saturating_add(1);
        if result.findings.len() < InvariantResult::FINDINGS_MAX {
            let (expected, found) = (expected.to_string(), found.to_string());
            result.findings.push(Finding { row: row.into(), expected, found });
        }
    }

    /// Counts a comparison and notes the row where the two sides differ. Answers whether they agree.
    pub(crate) fn compare<T: PartialEq + Display>(
        &mut self,
        invariant: Invariant,
        row: impl Into<String>,
        expected: &T,
        found: &T,
    ) -> bool {
        self.checked(invariant);
        let agree = expected == found;
        if !agree {
            self.add(invariant, row, expected, found);
        }
        agree
    }

    pub(crate) fn into_results(self) -> Vec<InvariantResult> {
        self.0.into_values().collect()
    }
}
