//! Agreements: their versions' terms, and whether the legs of an exchange follow from them.
//!
//! The arithmetic of an exchange is worked out here a second time, on its own: `gross × give + rest = source × get`, and
//! money is counted points × price, to millionths, a half to the even side.

use std::collections::BTreeMap;
use std::fmt;

use pointbridge_store::AuditRow;

use crate::content::{AgreementBody, Direction, Exchange, Leg, Terms};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::values::{canonical, hex, sha256};

/// What the hashes of terms begin with.
const PREFIX: &[u8] = b"pointbridge/terms/v1\0";

/// The kinds that tell of agreements.
const KINDS: [&str; 2] = ["AGREEMENT_PROPOSED", "AGREEMENT_ACCEPTED"];

/// An agreement's row, or what it should be.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    pair: [String; 2],
    latest: i64,
    active: Option<i64>,
    active_since: Option<i64>,
    pending: Option<i64>,
    created_at: i64,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = &self.pair;
        let [active, since, pending] = [self.active, self.active_since, self.pending].map(or_none);
        write!(f, "{low} and {high} since {}, active {active} since {since}, ", self.created_at)?;
        write!(f, "pending {pending}, latest {}", self.latest)
    }
}

/// A version's row, or what it should be: the hash of its terms, the hash beside them, and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proposal {
    terms: String,
    marked: String,
    author: String,
    proposed_at: i64,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { terms, marked, author, proposed_at } = self;
        write!(f, "terms of hash {terms}, marked {marked}, by {author} at {proposed_at}")
    }
}

#[derive(Debug)]
struct Version {
    terms: Option<Terms>,
    hash: String,
}

/// Agreements and versions, as the records have them.
#[derive(Debug)]
pub(crate) struct Agreements {
    heads: Register<Head>,
    proposals: Register<Proposal>,
    versions: BTreeMap<(String, i64), Version>,
}

impl Default for Agreements {
    fn default() -> Self {
        Self {
            heads: Register::new(Invariant::AgreementActive, "agreement", &KINDS),
            proposals: Register::new(Invariant::TermsHash, "agreement version", &KINDS),
            versions: BTreeMap::new(),
        }
    }
}

impl Agreements {
    /// Takes in what a record says of an agreement. The last one counts; of a version they must all say the same.
    pub(crate) fn record(&mut self, record: &str, body: AgreementBody, findings: &mut Findings) {
        let AgreementBody { agreement, version } = body;
        let head = Head {
            pair: [agreement.pair.low, agreement.pair.high],
            latest: agreement.latest_version,
            active: agreement.active_version,
            active_since: agreement.active_since.map(|at| at.0),
            pending: agreement.pending_version,
            created_at: agreement.created_at.0,
        };
        self.heads.expect(agreement.agreement_id, head);
        let hash = hash_of(canonical(&version.terms).as_bytes());
        let row = format!("record {record}");
        let is_marked = findings.compare(Invariant::TermsHash, row.clone(), &hash, &version.terms_hash);
        let proposal = Proposal {
            terms: hash.clone(),
            marked: hash.clone(),
            author: version.author,
            proposed_at: version.proposed_at.0,
        };
        let key = version_key(&version.agreement_id, version.version);
        match self.proposals.get(&key) {
            Some(before) if is_marked => {
                findings.compare(Invariant::TermsHash, row, before, &proposal);
            }
            Some(_) => {}
            None => self.proposals.expect(key, proposal),
        }
        let terms = serde_json::from_value(version.terms).ok();
        let key = (version.agreement_id, version.version);
        self.versions.entry(key).or_insert(Version { terms, hash });
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: AuditRow, records: &Records, findings: &mut Findings) {
        match row {
            AuditRow::Agreement {
                agreement_id,
                low_code,
                high_code,
                latest_version: latest,
                active_version: active,
                active_since,
                pending_version: pending,
                created_at,
            } => {
                let pair = [low_code, high_code];
                let head = Head { pair, latest, active, active_since, pending, created_at };
                self.heads.row(&agreement_id, &head, records, findings);
            }
            AuditRow::AgreementVersion {
                agreement_id,
                version,
                author_code: author,
                terms,
                terms_hash,
                proposed_at,
            } => {
                let (terms, marked) = (hash_of(&terms), hex(&terms_hash));
                let proposal = Proposal { terms, marked, author, proposed_at };
                let key = version_key(&agreement_id, version);
                self.proposals.row(&key, &proposal, records, findings);
            }
            _ => {}
        }
    }

    /// Reports what has no row.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.heads.finish(records, findings);
        self.proposals.finish(records, findings);
    }

    /// Works out the legs of a prepared exchange again. A version that only an unproven record told of is passed over.
    pub(crate) fn judge_legs(
        &self,
        record: &str,
        exchange: &Exchange,
        records: &Records,
        findings: &mut Findings,
    ) {
        for leg in &exchange.legs {
            let key = (leg.agreement_id.clone(), leg.agreement_version);
            let version = self.versions.get(&key);
            if version.is_none() && records.have_gap(&KINDS) {
                continue;
            }
            findings.checked(Invariant::LegTerms);
            let flaw = match version {
                Some(version) => flaw(leg, exchange, version),
                None => Some(Flaw::new("a version that was proposed", format!("{}/{}", key.0, key.1))),
            };
            if let Some(Flaw { expected, found }) = flaw {
                let row = format!("record {record}");
                let [expected, found] = [expected, found].map(|side| format!("leg {}: {side}", leg.number));
                findings.add(Invariant::LegTerms, row, expected, found);
            }
        }
    }
}

fn version_key(agreement: &str, version: i64) -> String {
    format!("{agreement}/{version}")
}

fn hash_of(terms: &[u8]) -> String {
    hex(&sha256(&[PREFIX, terms]))
}

struct Flaw {
    expected: String,
    found: String,
}

impl Flaw {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

fn flaw(leg: &Leg, exchange: &Exchange, version: &Version) -> Option<Flaw> {
    if version.hash != leg.terms_hash {
        return Some(Flaw::new(format!("terms {}", version.hash), &leg.terms_hash));
    }
    let terms = version.terms.as_ref()?;
    let (from, to) = (&leg.source.program_id, &leg.destination.program_id);
    let is_direction = |d: &&Direction| d.source_program == *from && d.destination_program == *to;
    let Some(direction) = terms.directions.iter().find(is_direction) else {
        return Some(Flaw::new("a direction of its terms", format!("{from} to {to}")));
    };
    let expected = expected_leg(leg, direction, &terms.settlement_currency);
    let found = found_leg(leg, exchange);
    let differ = expected.iter().zip(&found).find(|((_, expected), found)| expected != *found);
    if let Some(((what, expected), found)) = differ {
        return Some(Flaw::new(format!("{what} {expected}"), format!("{what} {found}")));
    }
    let taken = leg.source_points.units;
    let is_allowed = (direction.minimum.units..=direction.maximum.units).contains(&taken)
        && taken.checked_rem(direction.step.units) == Some(0);
    (!is_allowed).then(|| {
        let Direction { minimum, maximum, step, .. } = direction;
        let expected = format!("{} to {} in steps of {}", minimum.units, maximum.units, step.units);
        Flaw::new(expected, taken.to_string())
    })
}

/// What the terms make of what is taken, name by name in the order of [`found_leg`].
fn expected_leg(leg: &Leg, direction: &Direction, currency: &str) -> Vec<(&'static str, String)> {
    let taken = i128::from(leg.source_points.units);
    let (give, get) = (i128::from(direction.rate.give), i128::from(direction.rate.get));
    let is_half_even = direction.rounding == "HALF_EVEN";
    let gross = divide(taken * get, give, is_half_even);
    let rest = gross.map(|gross| taken * get - gross * give);
    let credited = gross.map(|gross| gross - i128::from(direction.fee.units));
    let counted = if direction.basis == "SOURCE" { Some(taken) } else { credited };
    let price = &direction.price;
    let money = counted.and_then(|counted| {
        // Forged terms can make more points than any product of theirs fits.
        let product = counted.checked_mul(i128::from(price.money.0))?;
        divide(product, i128::from(price.points.units), true)
    });
    vec![
        ("gross points", or_none(gross)),
        ("fee points", direction.fee.units.to_string()),
        ("credited points", or_none(credited)),
        ("residue numerator", or_none(rest)),
        ("residue denominator", give.to_string()),
        ("residue owner", direction.residue_owner.clone()),
        ("money", or_none(money)),
        ("currency", currency.to_owned()),
        ("debtor", leg.source.partner.clone()),
        ("creditor", leg.destination.partner.clone()),
        ("reversal days", or_none(direction.reversal_days)),
        ("hold", (i128::from(direction.hold_seconds) * 1_000_000).to_string()),
        ("residue", "of less than one unit".to_owned()),
        ("credited", "above zero".to_owned()),
    ]
}

fn found_leg(leg: &Leg, exchange: &Exchange) -> Vec<String> {
    let hold = i128::from(exchange.hold_expires_at.0) - i128::from(exchange.prepared_at.0);
    let (rest, unit) = (leg.residue.numerator.0, leg.residue.denominator.0);
    let is_part = i128::from(rest).abs() < i128::from(unit);
    vec![
        leg.gross_points.units.to_string(),
        leg.fee_points.units.to_string(),
        leg.credited_points.units.to_string(),
        rest.to_string(),
        unit.to_string(),
        leg.residue.owner.clone(),
        leg.obligation.money.0.to_string(),
        leg.obligation.currency.clone(),
        leg.obligation.debtor.clone(),
        leg.obligation.creditor.clone(),
        or_none(leg.reversal_days),
        hold.to_string(),
        if is_part { "of less than one unit" } else { "of one unit or more" }.to_owned(),
        if leg.credited_points.units > 0 { "above zero" } else { "nothing" }.to_owned(),
    ]
}

/// `numerator / denominator` of two numbers above or at zero: toward zero, or to the nearest, a half to the even side.
/// `None` where the denominator is not above zero or the numerator is below.
pub(crate) fn divide(numerator: i128, denominator: i128, is_half_even: bool) -> Option<i128> {
    if denominator <= 0 || numerator < 0 {
        return None;
    }
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let twice = rest * 2;
    let is_up = is_half_even && (twice > denominator || (twice == denominator && quotient % 2 == 1));
    Some(if is_up { quotient + 1 } else { quotient })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_rounded_as_agreed() {
        for (numerator, denominator, toward_zero, half_even) in
            [(7, 2, 3, 4), (5, 2, 2, 2), (1, 3, 0, 0), (2, 3, 0, 1), (0, 3, 0, 0), (6, 3, 2, 2)]
        {
            assert_eq!(divide(numerator, denominator, false), Some(toward_zero), "{numerator}/{denominator}");
            assert_eq!(divide(numerator, denominator, true), Some(half_even), "{numerator}/{denominator}");
        }
        assert_eq!(divide(1, 0, true), None);
        assert_eq!(divide(-1, 2, true), None);
    }
}
