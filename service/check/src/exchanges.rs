//! Reservations and legs: two phases, their rows, and what is held meanwhile.
//!
//! Kept: one entry per reservation with its legs. Where a phase's record proves nothing, the reservation's row is taken
//! at its word for that phase, and so are its legs where no record tells them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::content::{Content, Exchange};
use crate::invariant::Invariant;
use crate::names::{Name, Names, or_none};
use crate::records::Records;
use crate::report::Findings;
use crate::values::{Hash, canonical, sha256};

/// How long after its hold a reservation may still be open, in microseconds: 60 seconds.
const OVERDUE_MICROS: i64 = 60_000_000;

/// The parts of an exchange that phase two changes.
const CHANGED_BY_PHASE_TWO: [&str; 3] = ["state", "decided_at", "abort_reason"];

/// What is held of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) points: i128,
    pub(crate) count: i128,
}

/// A leg, as far as its row repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LegLine {
    pub(crate) source: Name,
    pub(crate) destination: Name,
    pub(crate) source_points: i64,
    pub(crate) credited_points: i64,
    pub(crate) debtor: Name,
    pub(crate) creditor: Name,
    pub(crate) currency: Name,
    pub(crate) money: i64,
}

impl fmt::Display for LegLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, source_points, credited_points, debtor, creditor, currency, money } =
            self;
        write!(f, "{source_points} of {source} become {credited_points} of {destination}, ")?;
        write!(f, "{debtor} owes {creditor} {money} millionths of {currency}")
    }
}

/// A row of `reservation`, or what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReservationRow {
    pub(crate) state: String,
    pub(crate) initiator: String,
    pub(crate) prepared_at: i64,
    pub(crate) hold_expires_at: i64,
    pub(crate) decided_at: Option<i64>,
    pub(crate) prepare_record: String,
    pub(crate) last_record: String,
}

impl fmt::Display for ReservationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, initiator, prepared_at, hold_expires_at, prepare_record, last_record, .. } = self;
        write!(f, "{state} by {initiator}, prepared at {prepared_at}, held until {hold_expires_at}, ")?;
        let decided = or_none(self.decided_at);
        write!(f, "decided at {decided}, prepared by {prepare_record}, last {last_record}")
    }
}

#[derive(Debug, Clone)]
struct End {
    record: Name,
    state: Name,
    decided_at: i64,
}

#[derive(Debug)]
struct Leg {
    number: i64,
    line: LegLine,
    has_row: bool,
}

#[derive(Debug)]
struct Reservation {
    initiator: Name,
    prepared_at: i64,
    hold_expires_at: i64,
    prepare: Option<Name>,
    end: Option<End>,
    legs: Vec<Leg>,
    /// Whether the legs are known from a record.
    is_proven: bool,
    has_row: bool,
    /// Of everything that phase two must not change.
    twin: Option<Hash>,
}

/// All reservations.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(BTreeMap<Name, Reservation>);

impl Exchanges {
    /// Takes in one phase's record.
    pub(crate) fn phase(
        &mut self,
        record: &Name,
        content: &Content,
        value: &Value,
        names: &mut Names,
        findings: &mut Findings,
    ) {
        let Some(exchange) = &content.body.exchange else { return };
        let reservation =
            self.0.entry(names.of(&exchange.reservation_id)).or_insert_with(|| open(exchange, names));
        let row = || format!("record {record}");
        let twin = twin(value);
        let state = format!("EXCHANGE_{}", exchange.state);
        findings.compare(Invariant::ReservationState, row(), &content.kind, &state);
        if content.kind == "EXCHANGE_PREPARED" {
            if let Some(before) = &reservation.prepare {
                findings.add(
                    Invariant::ReservationState,
                    row(),
                    "one prepare",
                    format!("one after {before}"),
                );
                return;
            }
            if let Some(end) = &reservation.end {
                let found = format!("one after {}", end.record);
                findings.add(Invariant::ReservationState, row(), "a prepare before the end", found);
            }
            reservation.prepare = Some(record.clone());
            reservation.twin = Some(twin);
            return;
        }
        if let Some(before) = &reservation.end {
            let found = format!("one after {}", before.record);
            findings.add(Invariant::ReservationState, row(), "one end", found);
            return;
        }
        if let Some(prepared) = reservation.twin {
            findings.checked(Invariant::PhasesMatch);
            if prepared != twin {
                let expected = format!("the exchange of record {}", or_none(reservation.prepare.as_ref()));
                findings.add(
                    Invariant::PhasesMatch,
                    row(),
                    expected,
                    "another initiator, leg, reference or time",
                );
            }
        }
        let decided_at = exchange.decided_at.map_or(content.decided_at.0, |at| at.0);
        let state = names.of(content.kind.trim_start_matches("EXCHANGE_"));
        reservation.end = Some(End { record: record.clone(), state, decided_at });
    }

    /// Compares a reservation's row.
    pub(crate) fn row(
        &mut self,
        id: &Name,
        row: &ReservationRow,
        records: &Records,
        names: &mut Names,
        findings: &mut Findings,
    ) {
        let name = format!("reservation {id}");
        let may_adopt = records.is_silent(&row.prepare_record);
        if !self.0.contains_key(id) && may_adopt {
            self.0.insert(id.clone(), adopt(row, names));
        }
        let Some(reservation) = self.0.get_mut(id) else {
            findings.checked(Invariant::ReservationState);
            findings.add(Invariant::ReservationState, name, "no such reservation in the records", row);
            return;
        };
        if reservation.prepare.is_none() && may_adopt {
            reservation.prepare = Some(names.of(&row.prepare_record));
        }
        if reservation.end.is_none() && records.is_silent(&row.last_record) {
            let is_end = row.last_record != row.prepare_record;
            reservation.end = is_end.then(|| end_of(row, names));
        }
        reservation.has_row = true;
        findings.compare(Invariant::ReservationState, name, &expected_row(reservation), row);
    }

    /// Compares a leg's row.
    pub(crate) fn leg_row(&mut self, id: &Name, number: i64, line: LegLine, findings: &mut Findings) {
        let name = format!("leg {id}/{number}");
        let Some(reservation) = self.0.get_mut(id) else {
            findings.checked(Invariant::LegRows);
            findings.add(Invariant::LegRows, name, "no such reservation in the records", line);
            return;
        };
        let waiting = reservation.legs.iter_mut().find(|leg| leg.number == number && !leg.has_row);
        match waiting {
            Some(leg) => {
                leg.has_row = true;
                findings.compare(Invariant::LegRows, name, &leg.line, &line);
            }
            None if reservation.is_proven => {
                findings.checked(Invariant::LegRows);
                findings.add(Invariant::LegRows, name, "no such leg in the records", line);
            }
            None => reservation.legs.push(Leg { number, line, has_row: true }),
        }
    }

    /// Reports what has no row, what has no beginning, and what is open for too long.
    pub(crate) fn finish(&self, now_micros: i64, findings: &mut Findings) {
        for (id, reservation) in &self.0 {
            let name = || format!("reservation {id}");
            if !reservation.has_row {
                let expected = expected_row(reservation);
                findings.checked(Invariant::ReservationState);
                findings.add(Invariant::ReservationState, name(), expected, "none");
            } else if reservation.prepare.is_none() {
                findings.add(Invariant::ReservationState, name(), "a record that prepared it", "none");
            }
            for leg in reservation.legs.iter().filter(|leg| !leg.has_row) {
                findings.checked(Invariant::LegRows);
                findings.add(Invariant::LegRows, format!("leg {id}/{}", leg.number), &leg.line, "none");
            }
            findings.checked(Invariant::ReservationOverdue);
            let latest = reservation.hold_expires_at.saturating_add(OVERDUE_MICROS);
            if reservation.end.is_none() && latest < now_micros {
                let expected = format!("an end by {latest}");
                findings.add(
                    Invariant::ReservationOverdue,
                    name(),
                    expected,
                    format!("open at {now_micros}"),
                );
            }
        }
    }

    /// The legs of reservations that have not ended, each with its initiator.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&Name, impl Iterator<Item = &LegLine>)> {
        self.0
            .values()
            .filter(|reservation| reservation.end.is_none())
            .map(|reservation| (&reservation.initiator, reservation.legs.iter().map(|leg| &leg.line)))
    }

    /// What the live reservations hold of each account.
    pub(crate) fn holds(&self) -> BTreeMap<Name, Holds> {
        let mut holds: BTreeMap<Name, Holds> = BTreeMap::new();
        for leg in self.live().flat_map(|(_, legs)| legs) {
            let hold = holds.entry(leg.source.clone()).or_default();
            hold.points += i128::from(leg.source_points);
            hold.count += 1;
        }
        holds
    }
}

/// A hash of an exchange without what phase two changes.
fn twin(record: &Value) -> Hash {
    let mut exchange = record.pointer("/body/exchange").cloned().unwrap_or_default();
    if let Some(fields) = exchange.as_object_mut() {
        fields.retain(|name, _| !CHANGED_BY_PHASE_TWO.contains(&name.as_str()));
    }
    sha256(&[canonical(&exchange).as_bytes()])
}

fn open(exchange: &Exchange, names: &mut Names) -> Reservation {
    let legs = exchange
        .legs
        .iter()
        .map(|leg| {
            let line = LegLine {
                source: names.of(&leg.source.membership_id),
                destination: names.of(&leg.destination.membership_id),
                source_points: leg.source_points.units,
                credited_points: leg.credited_points.units,
                debtor: names.of(&leg.obligation.debtor),
                creditor: names.of(&leg.obligation.creditor),
                currency: names.of(&leg.obligation.currency),
                money: leg.obligation.money.0,
            };
            Leg { number: leg.number, line, has_row: false }
        })
        .collect();
    Reservation {
        initiator: names.of(&exchange.initiator),
        prepared_at: exchange.prepared_at.0,
        hold_expires_at: exchange.hold_expires_at.0,
        prepare: None,
        end: None,
        legs,
        is_proven: true,
        has_row: false,
        twin: None,
    }
}

fn adopt(row: &ReservationRow, names: &mut Names) -> Reservation {
    Reservation {
        initiator: names.of(&row.initiator),
        prepared_at: row.prepared_at,
        hold_expires_at: row.hold_expires_at,
        prepare: Some(names.of(&row.prepare_record)),
        end: (row.last_record != row.prepare_record).then(|| end_of(row, names)),
        legs: Vec::new(),
        is_proven: false,
        has_row: false,
        twin: None,
    }
}

fn end_of(row: &ReservationRow, names: &mut Names) -> End {
    End {
        record: names.of(&row.last_record),
        state: names.of(&row.state),
        decided_at: row.decided_at.unwrap_or_default(),
    }
}

/// The row that the records call for.
fn expected_row(reservation: &Reservation) -> ReservationRow {
    let prepare = or_none(reservation.prepare.as_ref());
    let end = reservation.end.as_ref();
    ReservationRow {
        state: end.map_or("PREPARED", |end| &end.state).to_owned(),
        initiator: reservation.initiator.to_string(),
        prepared_at: reservation.prepared_at,
        hold_expires_at: reservation.hold_expires_at,
        decided_at: end.map(|end| end.decided_at),
        last_record: end.map_or_else(|| prepare.clone(), |end| end.record.to_string()),
        prepare_record: prepare,
    }
}
