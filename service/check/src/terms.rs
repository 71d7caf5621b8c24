//! Agreements: their versions' terms, and whether the legs of an exchange follow from them.
//!
//! The arithmetic of an exchange is worked out here a second time, on its own: `gross × give + rest = source × get`, and
//! money is counted points × price, to millionths, a half to the even side.

use std::collections::BTreeMap;

use crate::content::{AgreementBody, Direction, Exchange, Leg, Terms};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::records::Records;
use crate::report::Findings;
use crate::values::{canonical, hex, sha256};

/// What the hashes of terms begin with.
const PREFIX: &[u8] = b"pointbridge/terms/v1\0";

/// The kinds that tell of agreements.
const KINDS: [&str; 2] = ["AGREEMENT_PROPOSED", "AGREEMENT_ACCEPTED"];

/// A row of `agreement`, or what it should be, as a text.
fn agreement_text(low: &str, high: &str, active: Option<i64>, latest: i64) -> String {
    format!("{low} and {high}, active {}, latest {latest}", or_none(active))
}

/// A row of `agreement`.
#[derive(Debug)]
pub(crate) struct AgreementRow {
    pub(crate) low: String,
    pub(crate) high: String,
    pub(crate) active_version: Option<i64>,
    pub(crate) latest_version: i64,
}

#[derive(Debug)]
struct Version {
    terms: Option<Terms>,
    hash: String,
}

/// Agreements and versions, as the records and as the rows have them.
#[derive(Debug, Default)]
pub(crate) struct Agreements {
    heads: BTreeMap<String, String>,
    head_rows: BTreeMap<String, String>,
    versions: BTreeMap<(String, i64), Version>,
    /// For every stored version the hash of its terms and the hash beside them.
    version_rows: BTreeMap<(String, i64), (String, String)>,
}

impl Agreements {
    /// Takes in what a record says of an agreement. The last one counts; a version's first.
    pub(crate) fn record(&mut self, record: &str, body: AgreementBody, findings: &mut Findings) {
        let AgreementBody { agreement, version } = body;
        let (low, high) = (&agreement.pair.low, &agreement.pair.high);
        let text = agreement_text(low, high, agreement.active_version, agreement.latest_version);
        self.heads.insert(agreement.agreement_id, text);
        let hash = hash_of(canonical(&version.terms).as_bytes());
        let row = format!("record {record}");
        findings.compare(Invariant::TermsHash, row, &hash, &version.terms_hash);
        let terms = serde_json::from_value(version.terms).ok();
        let key = (version.agreement_id, version.version);
        self.versions.entry(key).or_insert(Version { terms, hash });
    }

    pub(crate) fn row(&mut self, id: String, row: &AgreementRow) {
        let text = agreement_text(&row.low, &row.high, row.active_version, row.latest_version);
        self.head_rows.insert(id, text);
    }

    pub(crate) fn version_row(&mut self, key: (String, i64), terms: &[u8], hash: &[u8]) {
        self.version_rows.insert(key, (hash_of(terms), hex(hash)));
    }

    /// Compares rows with records. Where such records prove nothing, nothing is judged.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        if records.have_gap(&KINDS) {
            return;
        }
        let both = self.heads.keys().chain(self.head_rows.keys());
        for id in both.collect::<std::collections::BTreeSet<_>>() {
            let [expected, found] = [self.heads.get(id), self.head_rows.get(id)].map(or_none);
            findings.compare(Invariant::AgreementActive, format!("agreement {id}"), &expected, &found);
        }
        let both = self.versions.keys().chain(self.version_rows.keys());
        for key in both.collect::<std::collections::BTreeSet<_>>() {
            let expected = self.versions.get(key).map(|version| &version.hash);
            let found = self.version_rows.get(key);
            let text = |terms: Option<&String>, hash: Option<&String>| {
                format!("terms of hash {}, marked {}", or_none(terms), or_none(hash))
            };
            let expected = text(expected, expected);
            let found = text(found.map(|(terms, _)| terms), found.map(|(_, hash)| hash));
            let row = format!("agreement version {}/{}", key.0, key.1);
            findings.compare(Invariant::TermsHash, row, &expected, &found);
        }
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
        hold.to_string(),
        if is_part { "of less than one unit" } else { "of one unit or more" }.to_owned(),
        if leg.credited_points.units > 0 { "above zero" } else { "nothing" }.to_owned(),
    ]
}

/// `numerator / denominator` of two numbers above or at zero: toward zero, or to the nearest, a half to the even side.
/// `None` where the denominator is not above zero or the numerator is below.
fn divide(numerator: i128, denominator: i128, is_half_even: bool) -> Option<i128> {
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
