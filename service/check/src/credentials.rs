//! Certificates and signing keys: what their last records say, against their rows.
//!
//! Kept: one text per certificate and per key until its row comes.

use pointbridge_store::{AuditCertificate, AuditRow};

use crate::content::{Certificate, SigningKey};
use crate::invariant::Invariant;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::values::hex;

/// Certificates and signing keys.
#[derive(Debug)]
pub(crate) struct Credentials {
    certificates: Register<String>,
    keys: Register<String>,
}

impl Default for Credentials {
    fn default() -> Self {
        let certificates = &["CERTIFICATE_PINNED", "CERTIFICATE_REVOKED"];
        let keys = &["SIGNING_KEY_REGISTERED"];
        Self {
            certificates: Register::new(Invariant::CertificateRows, "certificate", certificates),
            keys: Register::new(Invariant::SigningKeyRows, "signing key", keys),
        }
    }
}

impl Credentials {
    /// Takes in what a record says.
    pub(crate) fn record(&mut self, certificate: Option<&Certificate>, key: Option<&SigningKey>) {
        if let Some(certificate) = certificate {
            let owner = certificate.owner.as_deref().unwrap_or_default();
            let pin = certificate.pin.as_ref().map(|pin| {
                let times = [pin.not_before.0, pin.not_after.0, pin.at.0];
                pin_text([&pin.principal, &pin.serial, &pin.by], times)
            });
            let end = certificate.revocation.as_ref();
            let end = end.map(|end| end_text(&end.by, end.at.0, end.reason.as_deref().unwrap_or_default()));
            self.certificates.expect(key_of(&certificate.fingerprint, owner), certificate_text(pin, end));
        }
        if let Some(key) = key {
            let id = format!("{}/{}", key.program_id, key.key_id);
            self.keys.expect(id, key_text(&key.public_key, &key.by, key.at.0));
        }
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: &AuditRow, records: &Records, findings: &mut Findings) {
        match row {
            AuditRow::Certificate(row) => {
                let id = key_of(&hex(&row.fingerprint), &row.owner);
                self.certificates.row(&id, &text_of(row), records, findings);
            }
            AuditRow::SigningKey { program_id, key_id, public_key, registered_by, registered_at } => {
                let id = format!("{program_id}/{key_id}");
                let text = key_text(&hex(public_key), registered_by, *registered_at);
                self.keys.row(&id, &text, records, findings);
            }
            _ => {}
        }
    }

    /// Reports what has no row.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.certificates.finish(records, findings);
        self.keys.finish(records, findings);
    }
}

fn key_of(fingerprint: &str, owner: &str) -> String {
    format!("{fingerprint}/{owner}")
}

fn certificate_text(pin: Option<String>, end: Option<String>) -> String {
    let none = || "none".to_owned();
    format!("pin {}, end {}", pin.unwrap_or_else(none), end.unwrap_or_else(none))
}

fn pin_text([principal, serial, by]: [&str; 3], [from, to, at]: [i64; 3]) -> String {
    format!("of {principal}, serial {serial}, valid from {from} to {to}, by {by} at {at}")
}

fn end_text(by: &str, at: i64, reason: &str) -> String {
    format!("by {by} at {at} for {reason}")
}

fn key_text(public_key: &str, by: &str, at: i64) -> String {
    format!("{public_key} by {by} at {at}")
}

fn text_of(row: &AuditCertificate) -> String {
    let pin = row.pin.as_ref().map(|pin| {
        let times = [pin.not_before, pin.not_after, pin.pinned_at];
        pin_text([&pin.principal, &pin.serial, &pin.pinned_by], times)
    });
    let end = row.revocation.as_ref().map(|end| end_text(&end.revoked_by, end.revoked_at, &end.reason));
    certificate_text(pin, end)
}
