//! Legs: what a record says of one, against its row.
//!
//! What is the same for many legs (agreement, programs, partners, custody, fee, residue's owner) is one text that they
//! share.

use std::fmt;

use pointbridge_store::AuditLeg;

use crate::content::{self, Side};
use crate::names::{Name, Names};

/// A leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LegLine {
    pub(crate) source: Name,
    pub(crate) destination: Name,
    pub(crate) source_points: i64,
    gross_points: i64,
    credited_points: i64,
    residue: i64,
    pub(crate) debtor: Name,
    pub(crate) creditor: Name,
    pub(crate) currency: Name,
    pub(crate) money: i64,
    /// What it has in common with others.
    under: Name,
}

/// One end of a leg but for its membership.
struct End<'a> {
    program: &'a str,
    partner: &'a str,
    custody: &'a str,
}

/// What legs have in common.
struct Under<'a> {
    agreement: &'a str,
    version: i64,
    ends: [End<'a>; 2],
    fee_points: i64,
    denominator: i64,
    residue_owner: &'a str,
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, partner, custody } = self;
        write!(f, "{program} of {partner} ({custody})")
    }
}

impl fmt::Display for Under<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agreement, version, ends: [from, to], fee_points, denominator, residue_owner } = self;
        write!(f, "under {agreement}/{version} from {from} to {to}, fee {fee_points}, ")?;
        write!(f, "residue in parts of {denominator} for {residue_owner}")
    }
}

impl fmt::Display for LegLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, destination, source_points, gross_points, credited_points, .. } = self;
        let Self { residue, debtor, creditor, currency, money, under, .. } = self;
        write!(f, "{source_points} of {source} become {credited_points} of {destination}, ")?;
        write!(f, "gross {gross_points}, residue {residue}, ")?;
        write!(f, "{debtor} owes {creditor} {money} millionths of {currency}, {under}")
    }
}

impl LegLine {
    pub(crate) fn of(leg: &content::Leg, names: &mut Names) -> Self {
        let under = Under {
            agreement: &leg.agreement_id,
            version: leg.agreement_version,
            ends: [&leg.source, &leg.destination].map(end_of),
            fee_points: leg.fee_points.units,
            denominator: leg.residue.denominator.0,
            residue_owner: &leg.residue.owner,
        };
        Self {
            source: names.of(&leg.source.membership_id),
            destination: names.of(&leg.destination.membership_id),
            source_points: leg.source_points.units,
            gross_points: leg.gross_points.units,
            credited_points: leg.credited_points.units,
            residue: leg.residue.numerator.0,
            debtor: names.of(&leg.obligation.debtor),
            creditor: names.of(&leg.obligation.creditor),
            currency: names.of(&leg.obligation.currency),
            money: leg.obligation.money.0,
            under: names.of(&under.to_string()),
        }
    }

    pub(crate) fn of_row(row: &AuditLeg, names: &mut Names) -> Self {
        let under = Under {
            agreement: &row.agreement_id,
            version: row.agreement_version,
            ends: [&row.source, &row.destination].map(|side| End {
                program: &side.program_id,
                partner: &side.partner_code,
                custody: &side.custody,
            }),
            fee_points: row.fee_points,
            denominator: row.residue_denominator,
            residue_owner: &row.residue_owner,
        };
        Self {
            source: names.of(&row.source.membership_id),
            destination: names.of(&row.destination.membership_id),
            source_points: row.source_points,
            gross_points: row.gross_points,
            credited_points: row.credited_points,
            residue: row.residue_numerator,
            debtor: names.of(&row.debtor_code),
            creditor: names.of(&row.creditor_code),
            currency: names.of(&row.currency),
            money: row.money,
            under: names.of(&under.to_string()),
        }
    }
}

fn end_of(side: &Side) -> End<'_> {
    End { program: &side.program_id, partner: &side.partner, custody: &side.custody }
}
