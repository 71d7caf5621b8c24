//! Reservations: two phases, their times, their rows, and what is held meanwhile.
//!
//! Kept: one entry per reservation with its legs. Where a phase's record proves nothing, the reservation's row is taken
//! at its word for that phase, and so are its legs where no record tells them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::content::{Content, Exchange, References};
use crate::invariant::Invariant;
use crate::legs::LegLine;
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

/// A row of `reservation`, or what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReservationRow {
    pub(crate) state: String,
    pub(crate) initiator: String,
    pub(crate) references: String,
    pub(crate) prepared_at: i64,
    pub(crate) hold_expires_at: i64,
    pub(crate) decided_at: Option<i64>,
    pub(crate) prepare_record: String,
    pub(crate) last_record: String,
}

impl fmt::Display for ReservationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, initiator, references, prepared_at, .. } = self;
        let Self { hold_expires_at, prepare_record, last_record, .. } = self;
        write!(f, "{state} by {initiator} for {references}, ")?;
        write!(f, "prepared at {prepared_at}, held until {hold_expires_at}, ")?;
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
    references: Box<str>,
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
    /// Takes in one phase's record. Answers with what it changes in what accounts hold.
    pub(crate) fn phase(
        &mut self,
        record: &Name,
        content: &Content,
        value: &Value,
        names: &mut Names,
        findings: &mut Findings,
    ) -> Vec<(Name, i128)> {
        let Some(exchange) = &content.body.exchange else { return Vec::new() };
        let reservation =
            self.0.entry(names.of(&exchange.reservation_id)).or_insert_with(|| open(exchange, names));
        let state = format!("EXCHANGE_{}", exchange.state);
        findings.compare(Invariant::ReservationState, format!("record {record}"), &content.kind, &state);
        let is_taken = if content.kind == "EXCHANGE_PREPARED" {
            reservation.begin(record, twin(value), findings)
        } else {
            let state = names.of(content.kind.trim_start_matches("EXCHANGE_"));
            let decided_at = exchange.decided_at.map_or(content.decided_at.0, |at| at.0);
            reservation.finish(End { record: record.clone(), state, decided_at }, twin(value), findings)
        };
        if !is_taken {
            return Vec::new();
        }
        reservation.judge_times(record, content, exchange, findings);
        // What was never seen to be held is not let go.
        let sign = match (&reservation.prepare, &reservation.end) {
            (Some(_), None) => 1,
            (Some(_), Some(_)) => -1,
            (None, _) => 0,
        };
        let lines = reservation.legs.iter().map(|leg| &leg.line);
        lines.map(|line| (line.source.clone(), sign * i128::from(line.source_points))).collect()
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

impl Reservation {
    /// Takes in a prepare. Answers whether it is the one that counts.
    fn begin(&mut self, record: &Name, twin: Hash, findings: &mut Findings) -> bool {
        let row = || format!("record {record}");
        if let Some(before) = &self.prepare {
            let found = format!("one after {before}");
            findings.add(Invariant::ReservationState, row(), "one prepare", found);
            return false;
        }
        self.prepare = Some(record.clone());
        self.twin = Some(twin);
        if let Some(end) = &self.end {
            let found = format!("one after {}", end.record);
            findings.add(Invariant::ReservationState, row(), "a prepare before the end", found);
            return false;
        }
        true
    }

    /// Takes in an end. Answers whether it is the one that counts.
    fn finish(&mut self, end: End, twin: Hash, findings: &mut Findings) -> bool {
        let row = || format!("record {}", end.record);
        if let Some(before) = &self.end {
            let found = format!("one after {}", before.record);
            findings.add(Invariant::ReservationState, row(), "one end", found);
            return false;
        }
        if let Some(prepared) = self.twin {
            findings.checked(Invariant::PhasesMatch);
            if prepared != twin {
                let expected = format!("the exchange of record {}", or_none(self.prepare.as_ref()));
                let found = "another initiator, leg, reference or time";
                findings.add(Invariant::PhasesMatch, row(), expected, found);
            }
        }
        self.end = Some(end);
        true
    }

    /// Judges when a phase was decided.
    fn judge_times(&self, record: &Name, content: &Content, exchange: &Exchange, findings: &mut Findings) {
        findings.checked(Invariant::PhaseTimes);
        let (decided, hold) = (content.decided_at.0, self.hold_expires_at);
        let named = if self.end.is_none() { Some(exchange.prepared_at) } else { exchange.decided_at };
        let named = named.map(|at| at.0);
        let is_over = decided >= hold;
        let expected = match content.kind.as_str() {
            _ if named != Some(decided) => Some(format!("decided at {}, as its body says", or_none(named))),
            "EXCHANGE_COMMITTED" | "EXCHANGE_ABORTED" if is_over => Some(format!("an end before {hold}")),
            "EXCHANGE_EXPIRED" if !is_over => Some(format!("an end at {hold} or later")),
            _ => None,
        };
        if let Some(expected) = expected {
            findings.add(Invariant::PhaseTimes, format!("record {record}"), expected, decided);
        }
    }
}

/// The initiator's own names for a purchase, as a row and as a record have them.
pub(crate) fn references_text(order: &str, store: Option<&str>, till: Option<&str>) -> String {
    format!("order {order}, store {}, till {}", or_none(store), or_none(till))
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
    let legs = exchange.legs.iter();
    let legs = legs.map(|leg| Leg { number: leg.number, line: LegLine::of(leg, names), has_row: false });
    let legs = legs.collect();
    let References { order, store, till } = &exchange.references;
    Reservation {
        initiator: names.of(&exchange.initiator),
        references: references_text(order, store.as_deref(), till.as_deref()).into(),
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
        references: row.references.as_str().into(),
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
        references: reservation.references.to_string(),
        prepared_at: reservation.prepared_at,
        hold_expires_at: reservation.hold_expires_at,
        decided_at: end.map(|end| end.decided_at),
        last_record: end.map_or_else(|| prepare.clone(), |end| end.record.to_string()),
        prepare_record: prepare,
    }
}
