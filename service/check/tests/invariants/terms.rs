//! Legs against their terms: every part of a prepared leg that the terms decide.

use pointbridge_store::{AuditLeg, AuditRow};
use serde_json::{Value, json};

use crate::book::{self, Deal, at, book};
use crate::changes::forge;
use crate::rows::{id, micros, time};
use crate::{check, found};

fn leg_terms() -> [String; 1] {
    [format!("leg-terms: record {}", id("rec", at::LIVE))]
}

/// A part of a leg, a forged value of it, and the same in the leg's row.
type Part = (&'static str, Value, fn(&mut AuditLeg));

fn parts() -> [Part; 10] {
    [
        ("/gross_points", json!("0.58"), |leg| leg.gross_points = 58),
        ("/fee_points", json!("0.02"), |leg| leg.fee_points = 2),
        ("/residue/numerator", json!("2"), |leg| leg.residue_numerator = 2),
        ("/residue/denominator", json!("8"), |leg| leg.residue_denominator = 8),
        ("/residue/owner", json!("SOURCE"), |leg| leg.residue_owner = "SOURCE".to_owned()),
        // No row repeats the hash.
        ("/terms_hash", json!(book::hex(&book::SALT)), |_| ()),
        ("/agreement_version", json!(2), |leg| leg.agreement_version = 2),
        ("/agreement_id", json!(id("agr", 2)), |leg| leg.agreement_id = id("agr", 2)),
        ("/source/program_id", json!(id("prg", 2)), |leg| leg.source.program_id = id("prg", 2)),
        ("/source/partner", json!("market"), |leg| leg.source.partner_code = "market".to_owned()),
    ]
}

#[test]
fn every_part_of_a_leg_follows_from_its_terms() {
    for (part, value, change) in parts() {
        let mut rows = book();
        forge(&mut rows, at::LIVE, |content| {
            *content.pointer_mut(&format!("/body/exchange/legs/0{part}")).unwrap() = value;
        });
        for row in &mut rows {
            match row {
                AuditRow::Leg(leg) if leg.reservation_id == id("rsv", 3) => change(leg),
                _ => {}
            }
        }
        assert_eq!(found(&check(rows)), leg_terms(), "{part}");
    }
}

#[test]
fn a_hold_lasts_as_long_as_agreed() {
    let mut rows = book();
    forge(&mut rows, at::LIVE, |content| content["body"]["exchange"]["hold_expires_at"] = json!(time(320)));
    for row in &mut rows {
        match row {
            AuditRow::Reservation { reservation_id, hold_expires_at, .. }
                if *reservation_id == id("rsv", 3) =>
            {
                *hold_expires_at = micros(320);
            }
            _ => {}
        }
    }
    assert_eq!(found(&check(rows)), leg_terms());
}

#[test]
fn what_is_taken_lies_between_minimum_and_maximum_in_whole_steps() {
    for deal in [
        Deal { taken: 50, gross: 14, rest: 2, credited: 13, money: 216_472 },
        Deal { taken: 150, gross: 43, rest: -1, credited: 42, money: 699_370 },
    ] {
        assert_eq!(found(&check(book::book_with(book::DEAL_100, deal))), leg_terms(), "{}", deal.taken);
    }
    let most = Deal { taken: 100, ..book::DEAL_100 };
    assert!(check(book::book_with(book::DEAL_100, most)).is_clean());
}
