//! Reversals: parts of a committed exchange that were given back, worked out again from its commit.
//!
//! With `s` of `S` source points reversed, an amount `A` of the exchange is reversed by `A × s / S`: points without what is
//! behind the point, money to the nearest millionth, a half to the even side. A part is what one such sum is beyond the one
//! before it. Points come back lot by lot, from the last that was spent.
//!
//! The destination's partner may reverse at any time, the initiator until the agreed days after the commit are over.
//!
//! Kept: per committed exchange its amounts and the lots that it touched, who may reverse it and until when, and how far it
//! is reversed. Absent: whether the points were there to be taken back, which is the ledger's.

use std::collections::BTreeMap;
use std::fmt;

use pointbridge_store::AuditRow;

use crate::content::{Content, Exchange, Leg, Movement, Reversal, ReversedLeg, Share};
use crate::invariant::Invariant;
use crate::names::{Name, Names, or_none};
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::terms::divide;

/// A day in microseconds.
const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// How long points that come back live at least: 30 days.
const GRACE_MICROS: i64 = 30 * DAY_MICROS;

/// For how many days the initiator may reverse, where the leg names none.
const TERM_DAYS: i64 = 30;

/// The most parts of one exchange.
const PARTS_MAX: i64 = 100;

/// The kinds that tell of reversals, and of what is reversed.
const KINDS: [&str; 1] = ["EXCHANGE_REVERSED"];
const COMMITS: [&str; 1] = ["EXCHANGE_COMMITTED"];

/// A row of `reversal`, or what it should be.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    reversal: String,
    record: String,
    part: i64,
    reversed: i64,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reversal, record, part, reversed } = self;
        write!(f, "{reversal} by record {record}: {part}, {reversed} in all")
    }
}

/// Points of a lot.
#[derive(Debug)]
struct Portion {
    expires_at: Option<i64>,
    origin_month: i64,
    exchangeable: bool,
    points: i64,
}

/// A leg that was committed.
#[derive(Debug)]
struct Taken {
    number: i64,
    source: Name,
    destination: Name,
    /// Agreement, sides and currency, as one text.
    under: Name,
    points: i64,
    fee: i64,
    credited: i64,
    money: i64,
    /// In the order in which they were spent.
    spent: Box<[Portion]>,
    own: Option<Portion>,
}

/// An exchange that was committed, and how far it is reversed.
#[derive(Debug)]
struct Committed {
    legs: Box<[Taken]>,
    initiator: Name,
    /// The partner of the last leg's destination.
    receiver: Name,
    /// From when on the initiator may no longer reverse it.
    term_ends_at: i64,
    parts: i64,
    reversed: i64,
}

/// Reversals, and the exchanges that can be reversed.
#[derive(Debug)]
pub(crate) struct Reversals {
    rows: Register<Row>,
    committed: BTreeMap<Name, Committed>,
    /// What hangs on records that may yet turn out to be missing: record, expected, found.
    doubts: Vec<(Name, String, String)>,
}

impl Default for Reversals {
    fn default() -> Self {
        let rows = Register::new(Invariant::ReversalRows, "reversal", &KINDS);
        Self { rows, committed: BTreeMap::new(), doubts: Vec::new() }
    }
}

impl Reversals {
    /// Takes in a record, if it is of a commit or a reversal.
    pub(crate) fn record(
        &mut self,
        record: &Name,
        content: &Content,
        names: &mut Names,
        findings: &mut Findings,
    ) {
        let commit = content.body.exchange.as_ref().filter(|_| COMMITS.contains(&content.kind.as_str()));
        if let Some(exchange) = commit {
            let committed = committed(content, exchange, names);
            self.committed.entry(names.of(&exchange.reservation_id)).or_insert(committed);
        }
        if let Some(reversal) = &content.body.reversal {
            self.reversal(record, content, reversal, findings);
        }
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: AuditRow, records: &Records, findings: &mut Findings) {
        let AuditRow::Reversal {
            reservation_id,
            number,
            reversal_id,
            record_id,
            source_points,
            reversed_source_points,
        } = row
        else {
            return;
        };
        let row = Row {
            reversal: reversal_id,
            record: record_id,
            part: source_points,
            reversed: reversed_source_points,
        };
        self.rows.row(&format!("{reservation_id}/{number}"), &row, records, findings);
    }

    /// Reports what has no row, and what has no commit or no part before it.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.rows.finish(records, findings);
        if records.have_gap(&KINDS) || records.have_gap(&COMMITS) {
            return;
        }
        for (record, expected, found) in &self.doubts {
            findings.add(Invariant::ReversalSums, format!("record {record}"), expected, found);
        }
    }

    fn reversal(&mut self, record: &Name, content: &Content, reversal: &Reversal, findings: &mut Findings) {
        let reservation = reversal.exchange_id.replacen("exc_", "rsv_", 1);
        let first = reversal.legs.first();
        let reversed = first.map_or(0, |leg| leg.reversed.source_points.units);
        let part = first.map_or(0, |leg| leg.part.source_points.units);
        let row =
            Row { reversal: reversal.reversal_id.clone(), record: content.record_id.clone(), part, reversed };
        self.rows.expect(format!("{reservation}/{}", reversal.number), row);
        findings.checked(Invariant::ReversalSums);
        let Some(committed) = self.committed.get_mut(reservation.as_str()) else {
            let doubt = (record.clone(), "an exchange that is committed".to_owned(), reservation);
            self.doubts.push(doubt);
            return;
        };
        let follows = |number: i64, from: i64| format!("part {number}, from {from}");
        let expected = follows(committed.parts + 1, committed.reversed);
        let found = follows(reversal.number, reversed - part);
        (committed.parts, committed.reversed) = (reversal.number, reversed);
        let name = format!("record {record}");
        if let Some((expected, found)) = flaw(committed, content, reversal) {
            findings.add(Invariant::ReversalSums, name, expected, found);
            return;
        }
        if expected != found {
            self.doubts.push((record.clone(), expected, found));
        }
        let [expected, found] =
            [expected_lots(committed, content, reversal), found_lots(content)].map(|mut lots| {
                lots.sort();
                lots.join(", ")
            });
        findings.compare(Invariant::ReversalLots, name, &expected, &found);
    }
}

/// One amount of the exchange, as far as it is reversed.
fn cut(amount: i64, reversed: i64, whole: i64, is_half_even: bool) -> Option<i128> {
    divide(i128::from(amount) * i128::from(reversed), i128::from(whole), is_half_even)
}

/// What is wrong with the amounts of a reversal: the first difference, as what it should be and what it is.
fn flaw(committed: &Committed, content: &Content, reversal: &Reversal) -> Option<(String, String)> {
    let first = reversal.legs.first();
    let whole = committed.legs.first().map_or(0, |leg| leg.points);
    let reversed = first.map_or(0, |leg| leg.reversed.source_points.units);
    let part = first.map_or(0, |leg| leg.part.source_points.units);
    if part <= 0 || reversed > whole || reversal.number > PARTS_MAX {
        let expected = format!("more than 0, up to {whole} in all and in {PARTS_MAX} parts");
        return Some((expected, format!("{part}, {reversed} in all in {} parts", reversal.number)));
    }
    let head = |who: &str, at: i64| format!("by {who} at {at}");
    let caller = content.who.split('/').nth(1).unwrap_or_default();
    let expected = head(caller, content.decided_at.0);
    let found = head(&reversal.reverser, reversal.reversed_at.0);
    if expected != found {
        return Some((expected, found));
    }
    let at = content.decided_at.0;
    let Committed { initiator, receiver, term_ends_at, .. } = committed;
    let is_in_time = **initiator == *reversal.reverser && at < *term_ends_at;
    if **receiver != *reversal.reverser && !is_in_time {
        return Some((format!("by {receiver}, or by {initiator} before {term_ends_at}"), found));
    }
    let expected: Vec<String> = committed
        .legs
        .iter()
        .map(|leg| {
            let sums = [reversed - part, reversed].map(|source| sums(leg, source, whole));
            let [before, after] = sums;
            let part: Vec<Option<i128>> =
                after.iter().zip(before).map(|(after, before)| Some((*after)? - before?)).collect();
            leg_text(leg.number, &leg.under, &part, &after)
        })
        .collect();
    let found: Vec<String> = reversal.legs.iter().map(found_leg).collect();
    (expected != found).then(|| (expected.join("; "), found.join("; ")))
}

/// Source points, fee, credited points and money of a leg, as far as they are reversed.
fn sums(leg: &Taken, reversed: i64, whole: i64) -> [Option<i128>; 4] {
    [
        cut(leg.points, reversed, whole, false),
        cut(leg.fee, reversed, whole, false),
        cut(leg.credited, reversed, whole, false),
        cut(leg.money, reversed, whole, true),
    ]
}

fn leg_text(number: i64, under: &str, part: &[Option<i128>], reversed: &[Option<i128>]) -> String {
    let text = |sums: &[Option<i128>]| sums.iter().map(|sum| or_none(*sum)).collect::<Vec<_>>().join("/");
    format!("leg {number} {under}: {} of {} in all", text(part), text(reversed))
}

fn found_leg(leg: &ReversedLeg) -> String {
    let sums = |share: &Share| {
        let Share { source_points, fee_points, credited_points, money } = share;
        [source_points.units, fee_points.units, credited_points.units, money.0]
            .map(|sum| Some(i128::from(sum)))
    };
    let owed = &leg.obligation;
    let under = format!(
        "under {}/{} from {} of {} to {} of {}, {} owes {} {}",
        leg.agreement_id,
        leg.agreement_version,
        leg.source.membership_id,
        leg.source.program_id,
        leg.destination.membership_id,
        leg.destination.program_id,
        owed.debtor,
        owed.creditor,
        owed.currency,
    );
    // What is owed for the part stands in the obligation too.
    let money = if owed.money.0 == leg.part.money.0 { "" } else { ", and another amount" };
    leg_text(leg.number, &format!("{under}{money}"), &sums(&leg.part), &sums(&leg.reversed))
}

fn committed(content: &Content, exchange: &Exchange, names: &mut Names) -> Committed {
    let days = exchange.legs.first().and_then(|leg| leg.reversal_days).unwrap_or(TERM_DAYS);
    let decided_at = exchange.decided_at.map_or(content.decided_at.0, |at| at.0);
    let receiver = exchange.legs.last().map_or("", |leg| &leg.destination.partner);
    Committed {
        legs: exchange.legs.iter().map(|leg| taken(leg, &content.lots, names)).collect(),
        initiator: names.of(&exchange.initiator),
        receiver: names.of(receiver),
        term_ends_at: decided_at.saturating_add(days.saturating_mul(DAY_MICROS)),
        parts: 0,
        reversed: 0,
    }
}

fn taken(leg: &Leg, lots: &[Movement], names: &mut Names) -> Taken {
    let portion = |lot: &Movement| Portion {
        expires_at: lot.expires_at.as_ref().map(|at| at.0),
        origin_month: lot.origin_month,
        exchangeable: lot.exchangeable,
        points: lot.remaining.units,
    };
    let (source, destination) = (&leg.source.membership_id, &leg.destination.membership_id);
    let spent = lots.iter().filter(|lot| lot.membership_id == *source && lot.remaining.units < 0);
    let own = lots.iter().find(|lot| lot.membership_id == *destination && lot.remaining.units > 0);
    let owed = &leg.obligation;
    // The other way round than for the exchange.
    let under = format!(
        "under {}/{} from {source} of {} to {destination} of {}, {} owes {} {}",
        leg.agreement_id,
        leg.agreement_version,
        leg.source.program_id,
        leg.destination.program_id,
        owed.creditor,
        owed.debtor,
        owed.currency,
    );
    Taken {
        number: leg.number,
        source: names.of(source),
        destination: names.of(destination),
        under: names.of(&under),
        points: leg.source_points.units,
        fee: leg.fee_points.units,
        credited: leg.credited_points.units,
        money: owed.money.0,
        spent: spent.map(portion).collect(),
        own: own.map(portion),
    }
}

fn lot_text(membership: &str, portion: &Portion) -> String {
    let Portion { expires_at, origin_month, exchangeable, points } = portion;
    format!("{points} on {membership}/{}/{origin_month}/{exchangeable}", or_none(*expires_at))
}

fn expected_lots(committed: &Committed, content: &Content, reversal: &Reversal) -> Vec<String> {
    let mut lots = Vec::new();
    for (leg, reversed) in committed.legs.iter().zip(&reversal.legs) {
        if let Some(own) = &leg.own {
            let points = -reversed.part.credited_points.units;
            lots.push(lot_text(&leg.destination, &Portion { points, ..*own }));
        }
        let part = reversed.part.source_points.units;
        let mut passed_over = reversed.reversed.source_points.units - part;
        let mut wanted = part;
        for portion in leg.spent.iter().rev() {
            let there = -portion.points;
            let skipped = there.min(passed_over);
            let points = (there - skipped).min(wanted);
            passed_over -= skipped;
            wanted -= points;
            if points > 0 {
                let earliest = end_of_day(content.decided_at.0.saturating_add(GRACE_MICROS));
                let expires_at = portion.expires_at.map(|at| at.max(earliest));
                lots.push(lot_text(&leg.source, &Portion { expires_at, points, ..*portion }));
            }
        }
    }
    lots
}

fn found_lots(content: &Content) -> Vec<String> {
    let lots = content.lots.iter().map(|lot| {
        let portion = Portion {
            expires_at: lot.expires_at.as_ref().map(|at| at.0),
            origin_month: lot.origin_month,
            exchangeable: lot.exchangeable,
            points: lot.remaining.units,
        };
        lot_text(&lot.membership_id, &portion)
    });
    lots.collect()
}

/// The midnight (UTC) at or after a moment.
fn end_of_day(micros: i64) -> i64 {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    micros.saturating_add((DAY - micros.rem_euclid(DAY)) % DAY)
}
