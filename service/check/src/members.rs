//! Memberships and link codes: what their records say, against their rows.
//!
//! Kept: per membership a text and a commitment, per link code what it is for, until their rows come. No external
//! reference is kept, nor does one ever stand in a finding.

use std::collections::BTreeMap;
use std::fmt;

use pointbridge_store::AuditRow;

use crate::content::{LinkCode, Membership, Merge};
use crate::invariant::Invariant;
use crate::names::{Name, Names, or_none};
use crate::people::People;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::values::{hex, sha256};

/// What commitments to external references begin with.
const PREFIX: &[u8] = b"pointbridge/reference/v1\0";

/// A row of `link_code`, or what it should be.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    membership: String,
    partner: String,
    expires_at: i64,
    used_by: Option<String>,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { membership, partner, expires_at, used_by } = self;
        write!(f, "{membership} for {partner} until {expires_at}, used by {}", or_none(used_by.as_ref()))
    }
}

/// A merge that its link code does not allow.
#[derive(Debug)]
struct Stray {
    record: Name,
    expected: String,
    found: String,
}

/// Memberships, link codes, and who is one person.
#[derive(Debug)]
pub(crate) struct Members {
    memberships: Register<String>,
    commitments: BTreeMap<String, String>,
    codes: Register<Code>,
    /// Merges that no code allows; judged when it is known whether all records of codes can be read.
    strays: Vec<Stray>,
    people: People,
}

impl Default for Members {
    fn default() -> Self {
        let codes = &["LINK_CODE_ISSUED", "MEMBERS_MERGED"];
        Self {
            memberships: Register::new(Invariant::MembershipRows, "membership", &["MEMBERSHIP_REGISTERED"]),
            commitments: BTreeMap::new(),
            codes: Register::new(Invariant::LinkCodeRows, "link code", codes),
            strays: Vec::new(),
            people: People::default(),
        }
    }
}

impl Members {
    pub(crate) fn membership(&mut self, membership: &Membership) {
        let Membership { membership_id, program_id, reference_commitment, status, created_at } = membership;
        let text = membership_text(program_id, status, created_at.0);
        self.memberships.expect(membership_id.clone(), text);
        self.commitments.insert(membership_id.clone(), reference_commitment.clone());
    }

    pub(crate) fn link_code(&mut self, code: LinkCode) {
        let LinkCode { link_code_id, membership_id, partner, expires_at } = code;
        let code = Code { membership: membership_id, partner, expires_at: expires_at.0, used_by: None };
        self.codes.expect(link_code_id, code);
    }

    /// Two memberships were found to be one person, by a code that this spends.
    pub(crate) fn merge(&mut self, record: &Name, merge: Merge, names: &mut Names) {
        let Merge { link_code_id, membership, linked_membership_id } = merge;
        self.people.merge(names.of(&membership.membership_id), &names.of(&linked_membership_id));
        let expected = format!("an unused code of {linked_membership_id}");
        let code = self.codes.get_mut(&link_code_id);
        if !code
            .as_ref()
            .is_some_and(|code| code.used_by.is_none() && code.membership == linked_membership_id)
        {
            let found = or_none(code.as_ref());
            self.strays.push(Stray { record: record.clone(), expected, found });
        }
        if let Some(code) = code {
            code.used_by.get_or_insert(membership.membership_id);
        }
    }

    /// Compares a row.
    pub(crate) fn row(
        &mut self,
        row: AuditRow,
        records: &Records,
        names: &mut Names,
        findings: &mut Findings,
    ) {
        match row {
            AuditRow::Membership {
                membership_id,
                member_id,
                program_id,
                external_reference,
                reference_salt,
                status,
                created_at,
            } => {
                let text = membership_text(&program_id, &status, created_at);
                self.memberships.row(&membership_id, &text, records, findings);
                // Without a record there is nothing to compare: the row itself is reported.
                if let Some(expected) = self.commitments.remove(&membership_id) {
                    let found = hex(&sha256(&[PREFIX, &reference_salt, external_reference.as_bytes()]));
                    let row = format!("membership {membership_id}");
                    findings.compare(Invariant::ReferenceCommitment, row, &expected, &found);
                }
                self.people.row(names.of(&membership_id), names.of(&member_id));
            }
            AuditRow::LinkCode {
                link_code_id,
                membership_id: membership,
                partner_code: partner,
                expires_at,
                used_by_membership_id: used_by,
            } => {
                let code = Code { membership, partner, expires_at, used_by };
                self.codes.row(&link_code_id, &code, records, findings);
            }
            _ => {}
        }
    }

    /// Reports what has no row, and who is one person in the rows and not by the records, or the other way round.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.memberships.finish(records, findings);
        self.codes.finish(records, findings);
        if !self.codes.has_gap(records) {
            for Stray { record, expected, found } in &self.strays {
                findings.add(Invariant::LinkCodeRows, format!("record {record}"), expected, found);
            }
        }
        self.people.finish(records, findings);
    }
}

fn membership_text(program: &str, status: &str, created_at: i64) -> String {
    format!("in {program}, {status}, registered at {created_at}")
}
