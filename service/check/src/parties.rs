//! Partners and programs: what their last records say, against their rows.
//!
//! A partner's status is worked out apart from what its records say of it: only what creates, suspends or resumes it sets
//! it.
//!
//! Kept: one text per partner and per program until its row comes, and the status of each partner.

use std::collections::BTreeMap;

use pointbridge_store::AuditRow;

use crate::content::{Partner, Program};
use crate::invariant::Invariant;
use crate::names::Name;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;

/// Partners and programs.
#[derive(Debug)]
pub(crate) struct Parties {
    partners: Register<String>,
    programs: Register<String>,
    /// By code, the status that the records so far come to.
    statuses: BTreeMap<String, String>,
    /// Records that say another, unless one before them proves nothing: record, expected, found.
    doubts: Vec<(Name, String, String)>,
}

impl Default for Parties {
    fn default() -> Self {
        let partners = &["PARTNER_CREATED", "PARTNER_UPDATED", "PARTNER_SUSPENDED", "PARTNER_RESUMED"];
        let programs = &["PROGRAM_CREATED", "PROGRAM_UPDATED"];
        Self {
            partners: Register::new(Invariant::PartnerRows, "partner", partners),
            programs: Register::new(Invariant::ProgramRows, "program", programs),
            statuses: BTreeMap::new(),
            doubts: Vec::new(),
        }
    }
}

impl Parties {
    /// Takes in what a record of this kind says of a partner.
    pub(crate) fn partner(&mut self, record: &Name, kind: &str, partner: Partner, findings: &mut Findings) {
        let Partner { code, name, status, created_at, updated_at } = partner;
        let expected = match kind {
            "PARTNER_CREATED" | "PARTNER_RESUMED" => "ACTIVE".to_owned(),
            "PARTNER_SUSPENDED" => "SUSPENDED".to_owned(),
            _ => self.statuses.get(&code).unwrap_or(&status).clone(),
        };
        findings.checked(Invariant::PartnerRows);
        if expected != status {
            let text = |status: &str| format!("{code} {status}");
            self.doubts.push((record.clone(), text(&expected), text(&status)));
        }
        self.statuses.insert(code.clone(), expected);
        self.partners.expect(code, partner_text(&name, &status, [created_at.0, updated_at.0]));
    }

    pub(crate) fn program(&mut self, program: &Program) {
        let text = ProgramText {
            partner: &program.partner,
            code: &program.code,
            name: &program.name,
            custody: &program.custody,
        };
        let times = [program.created_at.0, program.updated_at.0];
        let text = text.with(program.scale, program.points_expiry_months, times);
        self.programs.expect(program.program_id.clone(), text);
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: &AuditRow, records: &Records, findings: &mut Findings) {
        match row {
            AuditRow::Partner { partner_code, name, status, created_at, updated_at } => {
                let text = partner_text(name, status, [*created_at, *updated_at]);
                self.partners.row(partner_code, &text, records, findings);
            }
            AuditRow::Program {
                program_id,
                partner_code: partner,
                program_code: code,
                name,
                scale,
                custody,
                points_expiry_months,
                created_at,
                updated_at,
            } => {
                let text = ProgramText { partner, code, name, custody };
                let text = text.with(*scale, *points_expiry_months, [*created_at, *updated_at]);
                self.programs.row(program_id, &text, records, findings);
            }
            _ => {}
        }
    }

    /// Reports what has no row, and what has another status than it was given.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.partners.finish(records, findings);
        self.programs.finish(records, findings);
        if self.partners.has_gap(records) {
            return;
        }
        for (record, expected, found) in &self.doubts {
            findings.add(Invariant::PartnerRows, format!("record {record}"), expected, found);
        }
    }
}

fn partner_text(name: &str, status: &str, [created_at, updated_at]: [i64; 2]) -> String {
    format!("{name}, {status}, created at {created_at}, updated at {updated_at}")
}

struct ProgramText<'a> {
    partner: &'a str,
    code: &'a str,
    name: &'a str,
    custody: &'a str,
}

impl ProgramText<'_> {
    fn with(&self, scale: i64, expiry_months: i64, [created_at, updated_at]: [i64; 2]) -> String {
        let Self { partner, code, name, custody } = self;
        format!(
            "{code} of {partner}, {name}, {scale} decimals, {custody}, points expire after {expiry_months} months, \
             created at {created_at}, updated at {updated_at}"
        )
    }
}
