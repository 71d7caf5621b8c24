//! Every row of the reference store as the check sees it, in the order of [`AuditRow`]'s variants and by key in each.

mod parties;

use pointbridge_core::agreement::ResidueOwner;
use pointbridge_core::exchange::{Leg, Side};
use pointbridge_core::ids::ReservationId;
use pointbridge_core::partner::Custody;
use pointbridge_core::record::SealedRecord;
use pointbridge_core::time::{Expiry, Timestamp};
use pointbridge_store::{AuditLeg, AuditRow, AuditSide};

use super::standing;
use super::state::State;

/// Where rows go.
pub(super) type Visit<'a> = &'a mut (dyn FnMut(AuditRow) + Send);

/// Shows every row.
pub(super) fn rows(state: &State, visit: Visit<'_>) {
    visit(AuditRow::Window {
        window_id: state.window.window_id.to_string(),
        opens_at: state.window.opens_at.micros(),
        closes_at: None,
    });
    let mut by_id: Vec<&SealedRecord> = state.records.iter().collect();
    for sealed in &by_id {
        visit(record(sealed));
    }
    by_id.sort_by_key(|sealed| sealed.record.record_id);
    for part in [postings, lot_movements, obligations] {
        by_id.iter().flat_map(|sealed| part(sealed)).for_each(&mut *visit);
    }
    for (key, request) in &state.requests {
        visit(AuditRow::Request {
            scope: key.scope.clone(),
            method: key.method.to_owned(),
            request_id: key.request_id.to_string(),
            record_id: request.record_id.to_string(),
        });
    }
    parties::rows(state, visit);
    standing::rows(state, visit);
    exchanges(state, visit);
    reversals(state, visit);
    balances(state, visit);
}

fn record(sealed: &SealedRecord) -> AuditRow {
    AuditRow::Record {
        record_id: sealed.record.record_id.to_string(),
        kind: sealed.record.kind.as_str().to_owned(),
        decided_at: sealed.record.decided_at.micros(),
        window_id: sealed.record.window_id.map(|id| id.to_string()),
        bytes: sealed.bytes.clone(),
        hash: sealed.hash.to_vec(),
    }
}

fn postings(sealed: &SealedRecord) -> Vec<AuditRow> {
    let numbered = (1..).zip(&sealed.record.postings);
    let row = |(number, posting): (i64, &pointbridge_core::ledger::Posting)| AuditRow::Posting {
        record_id: sealed.record.record_id.to_string(),
        number,
        program_id: posting.program_id.to_string(),
        account: posting.account.as_str().to_owned(),
        amount: posting.amount.minor(),
        membership_id: posting.member.as_ref().map(|member| member.membership_id.to_string()),
        sequence: posting.member.as_ref().map(|member| member.sequence),
        balance_after: posting.member.as_ref().map(|member| member.balance_after.minor()),
    };
    numbered.map(row).collect()
}

fn lot_movements(sealed: &SealedRecord) -> Vec<AuditRow> {
    let numbered = (1..).zip(&sealed.record.lots);
    let row = |(number, moved): (i64, &pointbridge_core::ledger::LotMovement)| AuditRow::LotMovement {
        record_id: sealed.record.record_id.to_string(),
        number,
        membership_id: moved.membership_id.to_string(),
        expires_at: moved.expires_at.map_or(Expiry::NEVER_MICROS, Timestamp::micros),
        origin_month: i64::from(moved.origin_month),
        exchangeable: moved.exchangeable,
        remaining: moved.remaining.minor(),
        held: moved.held.minor(),
    };
    numbered.map(row).collect()
}

fn obligations(sealed: &SealedRecord) -> Vec<AuditRow> {
    let numbered = (1..).zip(&sealed.record.obligations);
    let row = |(number, owed): (i64, &pointbridge_core::exposure::Obligation)| AuditRow::Obligation {
        record_id: sealed.record.record_id.to_string(),
        number,
        debtor_code: owed.debtor.to_string(),
        creditor_code: owed.creditor.to_string(),
        currency: owed.currency.to_string(),
        money: owed.money.millionths(),
        window_id: sealed.record.window_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    numbered.map(row).collect()
}

fn exchanges(state: &State, visit: Visit<'_>) {
    for known in state.reservations.values() {
        let references = &known.prepared.references;
        visit(AuditRow::Reservation {
            reservation_id: known.prepared.reservation_id.to_string(),
            state: known.state.as_str().to_owned(),
            initiator_code: known.prepared.initiator.to_string(),
            order_reference: references.order.to_string(),
            store_reference: references.store.as_ref().map(ToString::to_string),
            till_reference: references.till.as_ref().map(ToString::to_string),
            prepared_at: known.prepared.prepared_at.micros(),
            hold_expires_at: known.prepared.hold_expires_at.micros(),
            decided_at: known.decided_at.map(Timestamp::micros),
            prepare_record_id: known.prepare_record.to_string(),
            last_record_id: known.last_record.to_string(),
        });
    }
    for known in state.reservations.values() {
        for leg in &known.prepared.legs {
            visit(AuditRow::Leg(Box::new(leg_row(known.prepared.reservation_id, leg))));
        }
    }
}

fn reversals(state: &State, visit: Visit<'_>) {
    for (id, parts) in &state.reversals {
        for part in parts {
            visit(AuditRow::Reversal {
                reservation_id: id.reservation().to_string(),
                number: i64::from(part.number),
                reversal_id: part.reversal_id.to_string(),
                record_id: part.record_id.to_string(),
                source_points: part.source_points,
                reversed_source_points: part.reversed_source_points,
            });
        }
    }
}

fn leg_row(reservation: ReservationId, leg: &Leg) -> AuditLeg {
    AuditLeg {
        reservation_id: reservation.to_string(),
        number: i64::from(leg.number),
        agreement_id: leg.agreement_id.to_string(),
        agreement_version: i64::from(leg.agreement_version),
        source: side(&leg.source),
        destination: side(&leg.destination),
        source_points: leg.source_points.minor(),
        gross_points: leg.gross_points.minor(),
        fee_points: leg.fee_points.minor(),
        credited_points: leg.credited_points.minor(),
        residue_numerator: leg.residue.numerator,
        residue_denominator: leg.residue.denominator,
        residue_owner: residue_owner(leg.residue.owner),
        debtor_code: leg.obligation.debtor.to_string(),
        creditor_code: leg.obligation.creditor.to_string(),
        currency: leg.obligation.currency.to_string(),
        money: leg.obligation.money.millionths(),
    }
}

fn side(side: &Side) -> AuditSide {
    AuditSide {
        program_id: side.program_id.to_string(),
        partner_code: side.partner.to_string(),
        membership_id: side.membership_id.to_string(),
        custody: custody(side.custody),
    }
}

/// The name of a custody, as a database has it.
fn custody(custody: Custody) -> String {
    match custody {
        Custody::Hosted => "HOSTED",
        Custody::PartnerHeld => "PARTNER_HELD",
    }
    .to_owned()
}

fn residue_owner(owner: ResidueOwner) -> String {
    match owner {
        ResidueOwner::Nobody => "NOBODY",
        ResidueOwner::Source => "SOURCE",
        ResidueOwner::Destination => "DESTINATION",
    }
    .to_owned()
}

fn balances(state: &State, visit: Visit<'_>) {
    for account in state.accounts.values() {
        visit(AuditRow::Account {
            membership_id: account.membership_id.to_string(),
            posted: account.posted,
            held: account.held,
            postings: account.postings,
            live_holds: i64::from(account.live_holds),
        });
    }
    for ((membership, key), lot) in &state.lots {
        visit(AuditRow::Lot {
            membership_id: membership.to_string(),
            expires_at: key.expiry.micros(),
            origin_month: i64::from(key.origin.number()),
            exchangeable: key.exchangeable,
            remaining: lot.remaining,
            held: lot.held,
        });
    }
    for exposure in state.exposures.values() {
        visit(AuditRow::Exposure {
            low_code: exposure.key.pair.low().to_string(),
            high_code: exposure.key.pair.high().to_string(),
            currency: exposure.key.currency.to_string(),
            committed_low: exposure.committed_low,
            prepared_low: exposure.prepared_low,
            prepared_high: exposure.prepared_high,
        });
    }
    for (partner, live_holds) in &state.live_holds {
        visit(AuditRow::Initiator { partner_code: partner.to_string(), live_holds: *live_holds });
    }
}
