//! The check's own proof: a book in which everything agrees is clean, and one wrong cell is found once, by one
//! invariant, under the name of its row.
//!
//! Absent: a real database; there the rows are corrupted by SQL, in the conformance suite.
#![cfg(test)]

mod book;
mod changes;
mod corruption;
mod golden;
mod loss;
mod parties;
mod rows;
mod standing;
mod terms;

use pointbridge_check::{Check, Report};
use pointbridge_store::AuditRow;

fn check(rows: Vec<AuditRow>) -> Report {
    check_at(rows, book::now())
}

fn check_at(rows: Vec<AuditRow>, now: i64) -> Report {
    let mut check = Check::new();
    for row in rows {
        check.see(row);
    }
    check.finish(now)
}

/// Every finding as `invariant: row`.
fn found(report: &Report) -> Vec<String> {
    let findings = report.invariants.iter().flat_map(|result| {
        result.findings.iter().map(|finding| format!("{}: {}", result.name(), finding.row))
    });
    findings.collect()
}

#[test]
fn a_book_in_which_everything_agrees_is_clean_and_every_invariant_was_looked_at() {
    let report = check(book::book());
    assert_eq!(found(&report), Vec::<String>::new(), "{:#}", report.to_json());
    assert!(report.is_clean());
    assert_eq!(report.rows, u64::try_from(book::book().len()).unwrap());
    assert_eq!((report.tables["record"], report.tables["posting"], report.tables["lot"]), (34, 13, 3));
    let reversed = check(book::reversed());
    assert_eq!(found(&reversed), Vec::<String>::new(), "{:#}", reversed.to_json());
    assert_eq!((reversed.tables["record"], reversed.tables["reversal"]), (35, 1));
    for (result, of_reversed) in report.invariants.iter().zip(&reversed.invariants) {
        let is_of_reversals = result.name().starts_with("reversal-");
        assert!(of_reversed.checked > 0, "{} looked at nothing", result.name());
        assert_eq!(result.checked > 0, !is_of_reversals, "{} looked at nothing", result.name());
    }
    let json = report.to_json();
    assert_eq!((&json["clean"], &json["tables"]["account"]), (&true.into(), &3.into()));
    assert_eq!(json["invariants"][0]["name"], "record-hash");
}

#[test]
fn a_store_without_rows_is_clean() {
    assert!(check(Vec::new()).is_clean());
}

#[test]
fn a_report_keeps_the_first_findings_and_counts_all() {
    let extra = |number| AuditRow::Posting {
        record_id: rows::id("rec", book::at::COMMIT),
        number,
        program_id: rows::id("prg", 1),
        account: "FEE".to_owned(),
        amount: 0,
        membership_id: None,
        sequence: None,
        balance_after: None,
    };
    let mut rows = book::book();
    let after = rows.iter().position(|row| matches!(row, AuditRow::LotMovement { .. })).unwrap();
    rows.splice(after..after, (6..256).map(extra));
    let report = check(rows);
    let result = report.invariants.iter().find(|result| result.name() == "posting-rows").unwrap();
    assert_eq!((result.findings.len(), result.findings_total), (100, 250));
    assert_eq!(report.to_json()["invariants"][7]["findings_total"], 250);
}
