//! Rows that are gone, rows that are there twice, and records that cannot be read: each is one finding.

use pointbridge_store::AuditRow;

use crate::book::book;
use crate::{check, found};

/// What happens to a record's bytes and hash.
type Damage = fn(&mut Vec<u8>, &mut Vec<u8>);

/// What a book's row at this place is, for messages.
fn name(row: &AuditRow) -> String {
    format!("{row:?}").chars().take(120).collect()
}

#[test]
fn any_one_row_that_is_gone_is_one_finding() {
    let rows = book();
    for gone in 0..rows.len() {
        let mut left = rows.clone();
        let row = left.remove(gone);
        let found = found(&check(left));
        assert_eq!(found.len(), 1, "without {}: {found:?}", name(&row));
    }
}

#[test]
fn any_one_line_that_is_there_twice_is_one_finding_of_its_own_table() {
    let rows = book();
    let mut lines = 0;
    for (index, row) in rows.iter().enumerate() {
        let invariant = match row {
            AuditRow::Posting { .. } => "posting-rows",
            AuditRow::LotMovement { .. } => "lot-movement-rows",
            AuditRow::Obligation { .. } => "obligation-rows",
            AuditRow::Request { .. } => "request-record",
            AuditRow::Leg(_) => "leg-rows",
            _ => continue,
        };
        lines += 1;
        let mut more = rows.clone();
        more.insert(index, row.clone());
        let found = found(&check(more));
        assert!(matches!(&found[..], [one] if one.starts_with(invariant)), "{}: {found:?}", name(row));
    }
    assert_eq!(lines, 13 + 10 + 1 + 32 + 3);
}

#[test]
fn any_one_record_that_cannot_be_trusted_is_one_finding_and_accuses_no_other_row() {
    let rows = book();
    for (index, row) in rows.iter().enumerate() {
        let AuditRow::Record { record_id, .. } = row else { continue };
        let damages: [Damage; 3] = [
            |_, hash| hash[31] ^= 1,
            |bytes, _| bytes.truncate(40),
            |bytes, _| *bytes = String::from_utf8_lossy(bytes).replace("00\"", "99\"").into_bytes(),
        ];
        for damage in damages {
            let mut worse = rows.clone();
            let AuditRow::Record { bytes, hash, .. } = &mut worse[index] else { unreachable!() };
            let before = (bytes.clone(), hash.clone());
            damage(bytes, hash);
            if before == (bytes.clone(), hash.clone()) {
                continue;
            }
            let found = found(&check(worse));
            assert_eq!(found, [format!("record-hash: record {record_id}")], "{}", name(row));
        }
    }
}
