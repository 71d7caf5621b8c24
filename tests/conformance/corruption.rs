//! The promise that the check sees damage: one wrong row of a real database is found once, by one invariant, by its name.
//!
//! The guards are dropped first, as somebody with the file in hand could. Where a record was forged, its hash is made anew
//! and the rows that repeat it are forged along, so that what is found is what the forged content breaks.

mod bed;
mod exchanges;
mod ledger;
mod parties;
mod reversals;

use std::collections::BTreeSet;

use pointbridge_check::Invariant;

use bed::{bed, found, record, sql};

#[tokio::test]
async fn one_wrong_row_is_found_once_by_one_invariant_under_its_name() {
    let bed = bed().await;
    let sound = bed.damaged(&[]).await;
    assert!(sound.is_clean(), "{:#}", sound.to_json());
    let cases = [bed.ledger_cases(), bed.exchange_cases(), bed.party_cases(), bed.reversal_cases()];
    let mut covered = BTreeSet::new();
    let mut missed = Vec::new();
    for (expected, steps) in cases.into_iter().flatten() {
        let report = bed.damaged(&steps).await;
        let found = found(&report);
        if found != [expected.as_str()] {
            missed.push(format!("expected {expected}, found {found:#?}"));
        }
        covered.insert(expected.split_once(':').unwrap().0.to_owned());
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let all: BTreeSet<String> = Invariant::ALL.iter().map(|invariant| invariant.name().to_owned()).collect();
    assert_eq!(covered, all, "every invariant has a case");
}

#[tokio::test]
async fn a_database_that_stood_still_with_a_live_hold_is_sound() {
    let bed = bed().await;
    bed.clock.move_by(86_400);
    let report = bed.damaged(&[]).await;
    assert!(report.is_clean(), "{:#}", report.to_json());
}

#[tokio::test]
async fn a_deleted_record_is_missed_by_its_lines_and_its_request() {
    let bed = bed().await;
    let report =
        bed.damaged(&[sql(format!("delete from record where record_id = {}", record(bed.commit)))]).await;
    let found = found(&report);
    let [missing, unanswered] = found.as_slice() else {
        panic!("its lines and its request miss it: {found:#?}")
    };
    assert!(missing.starts_with("record-missing: record rec_#"), "{missing}");
    assert_eq!(*unanswered, format!("request-record: request airline/CommitExchange/{}", bed.commit_request));
}
