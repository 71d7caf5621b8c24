//! Programs, memberships and consents: what their records say, against their rows.
//!
//! Kept: per program two values, per membership a commitment, per consent key the newest consent. No external reference
//! is kept, nor does one ever stand in a finding.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::{Consent, Membership, Program};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::records::Records;
use crate::report::Findings;
use crate::values::{hex, sha256};

/// What commitments to external references begin with.
const PREFIX: &[u8] = b"pointbridge/reference/v1\0";

/// Values by key, as the records have them and as the rows do.
#[derive(Debug, Default)]
struct Sides {
    expected: BTreeMap<String, String>,
    found: BTreeMap<String, String>,
}

impl Sides {
    fn finish(&self, invariant: Invariant, table: &str, findings: &mut Findings) {
        let keys: BTreeSet<&String> = self.expected.keys().chain(self.found.keys()).collect();
        for key in keys {
            let [expected, found] = [self.expected.get(key), self.found.get(key)].map(or_none);
            findings.compare(invariant, format!("{table} {key}"), &expected, &found);
        }
    }
}

/// Programs, memberships and consents.
#[derive(Debug, Default)]
pub(crate) struct Members {
    programs: Sides,
    memberships: Sides,
    consents: Sides,
}

impl Members {
    pub(crate) fn program(&mut self, program: &Program) {
        let text = program_text(&program.partner, program.scale);
        self.programs.expected.insert(program.program_id.clone(), text);
    }

    pub(crate) fn program_row(&mut self, id: String, partner: &str, scale: i64) {
        self.programs.found.insert(id, program_text(partner, scale));
    }

    pub(crate) fn membership(&mut self, membership: &Membership) {
        let text = membership_text(&membership.program_id, &membership.reference_commitment);
        self.memberships.expected.insert(membership.membership_id.clone(), text);
    }

    pub(crate) fn membership_row(&mut self, id: String, program: &str, reference: &str, salt: &[u8]) {
        let commitment = hex(&sha256(&[PREFIX, salt, reference.as_bytes()]));
        self.memberships.found.insert(id, membership_text(program, &commitment));
    }

    /// A consent was given: it takes the place of what was in force.
    pub(crate) fn granted(&mut self, consent: &Consent) {
        self.consents.expected.insert(key(consent), consent.consent_id.clone());
    }

    /// A consent was withdrawn. Where it was the one in force, none is: what it had replaced does not come back.
    pub(crate) fn withdrawn(&mut self, consent: &Consent) {
        let key = key(consent);
        if self.consents.expected.get(&key) == Some(&consent.consent_id) {
            self.consents.expected.remove(&key);
        }
    }

    pub(crate) fn consent_row(&mut self, key: String, consent: String, is_withdrawn: bool) {
        let text = if is_withdrawn { format!("{consent}, withdrawn") } else { consent };
        self.consents.found.insert(key, text);
    }

    /// Compares rows with records. What only records could tell that prove nothing is not judged.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        if !records.have_gap(&["PROGRAM_CREATED", "PROGRAM_UPDATED"]) {
            self.programs.finish(Invariant::ProgramRows, "program", findings);
        }
        if !records.have_gap(&["MEMBERSHIP_REGISTERED"]) {
            self.memberships.finish(Invariant::ReferenceCommitment, "membership", findings);
        }
        if !records.have_gap(&["CONSENT_GRANTED", "CONSENT_WITHDRAWN"]) {
            self.consents.finish(Invariant::ConsentInForce, "consent in force", findings);
        }
    }
}

fn program_text(partner: &str, scale: i64) -> String {
    format!("{partner}, {scale} decimals")
}

fn membership_text(program: &str, commitment: &str) -> String {
    format!("{program}, reference committed to by {commitment}")
}

fn key(consent: &Consent) -> String {
    consent_key(&consent.membership_id, &consent.recipient, &consent.scope)
}

/// What a consent is about, as findings name it.
pub(crate) fn consent_key(membership: &str, recipient: &str, scope: &str) -> String {
    format!("{membership}/{recipient}/{scope}")
}
