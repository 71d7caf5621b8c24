//! Consents, their withdrawals, and which is in force: what the records say, against the rows.
//!
//! Kept: per consent and withdrawal a text until its row comes, per consent key the newest consent.

use pointbridge_store::AuditRow;

use crate::content::{Consent, WithdrawalBody};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::values::hex;

/// Consents.
#[derive(Debug)]
pub(crate) struct Consents {
    granted: Register<String>,
    withdrawn: Register<String>,
    in_force: Register<String>,
}

impl Default for Consents {
    fn default() -> Self {
        const GRANTED: &str = "CONSENT_GRANTED";
        const WITHDRAWN: &str = "CONSENT_WITHDRAWN";
        let in_force = &[GRANTED, WITHDRAWN];
        Self {
            granted: Register::new(Invariant::ConsentRows, "consent", &[GRANTED]),
            withdrawn: Register::new(Invariant::ConsentRows, "consent withdrawal", &[WITHDRAWN]),
            in_force: Register::new(Invariant::ConsentInForce, "consent in force", in_force),
        }
    }
}

impl Consents {
    /// A consent was given: it takes the place of what was in force.
    pub(crate) fn granted(&mut self, consent: &Consent) {
        self.in_force.expect(key_of(consent), consent.consent_id.clone());
        self.granted.expect(consent.consent_id.clone(), consent_text(consent));
    }

    /// A consent was withdrawn. Where it was the one in force, none is: what it had replaced does not come back.
    pub(crate) fn withdrawn(&mut self, body: WithdrawalBody) {
        let WithdrawalBody { consent, withdrawal } = body;
        self.in_force.expect_no_more(&key_of(&consent), &consent.consent_id);
        let text = withdrawal_text(&withdrawal.reason, withdrawal.withdrawn_at.0);
        self.withdrawn.expect(withdrawal.consent_id, text);
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: AuditRow, records: &Records, findings: &mut Findings) {
        match row {
            AuditRow::Consent {
                consent_id,
                membership_id,
                recipient_code,
                scope,
                purpose,
                notice_version,
                evidence_hash,
                granted_at,
                expires_at,
            } => {
                let about = key(&membership_id, &recipient_code, &scope);
                let evidence = hex(&evidence_hash);
                let shown = [purpose.as_str(), &notice_version, &evidence];
                let text = text(&about, shown, granted_at, expires_at);
                self.granted.row(&consent_id, &text, records, findings);
            }
            AuditRow::ConsentWithdrawal { consent_id, reason, withdrawn_at } => {
                let text = withdrawal_text(&reason, withdrawn_at);
                self.withdrawn.row(&consent_id, &text, records, findings);
            }
            AuditRow::ConsentInForce { membership_id, recipient_code, scope, consent_id } => {
                let key = key(&membership_id, &recipient_code, &scope);
                self.in_force.row(&key, &consent_id, records, findings);
            }
            _ => {}
        }
    }

    /// Reports what has no row.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        for register in [&self.granted, &self.withdrawn, &self.in_force] {
            register.finish(records, findings);
        }
    }
}

fn consent_text(consent: &Consent) -> String {
    let shown = [consent.purpose.as_str(), &consent.notice_version, &consent.evidence_hash];
    text(&key_of(consent), shown, consent.granted_at.0, consent.expires_at.map(|at| at.0))
}

fn text(
    about: &str,
    [purpose, notice, evidence]: [&str; 3],
    granted_at: i64,
    expires_at: Option<i64>,
) -> String {
    let until = or_none(expires_at);
    format!("{about} for {purpose}, notice {notice}, evidence {evidence}, from {granted_at} until {until}")
}

fn withdrawal_text(reason: &str, withdrawn_at: i64) -> String {
    format!("{reason} at {withdrawn_at}")
}

fn key_of(consent: &Consent) -> String {
    key(&consent.membership_id, &consent.recipient, &consent.scope)
}

/// What a consent is about, as findings name it.
fn key(membership: &str, recipient: &str, scope: &str) -> String {
    format!("{membership}/{recipient}/{scope}")
}
