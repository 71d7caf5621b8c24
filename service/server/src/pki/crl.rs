//! Revocation lists: read from PEM, and signed.
//!
//! Complete lists only, one for each authority, all in one file. Absent: delta lists, lists of one authority signed by
//! another, and distribution points; the hub reads the file and asks nobody.

use std::path::Path;

use clap::ValueEnum;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams,
};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use super::ca::BACKDATED_SECONDS;
use super::certificate::{Certificate, pem, serial_text};
use super::journal::RevokedEntry;
use super::{Moment, PkiError};

/// How long a revocation list is good for if nobody says otherwise, in days.
pub const CRL_DAYS_DEFAULT: u32 = 30;

/// Why a certificate is revoked, in the words of RFC 5280; what names an authority, or takes back, is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Nobody said why.
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// Whom it names works elsewhere, or for another partner.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// What it was for is over.
    CessationOfOperation,
    /// Whom it names may no longer do what it allows.
    PrivilegeWithdrawn,
}

impl Reason {
    fn of_code(code: u8) -> Self {
        match code {
            1 => Self::KeyCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            9 => Self::PrivilegeWithdrawn,
            _ => Self::Unspecified,
        }
    }

    fn written(self) -> Option<RevocationReason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(RevocationReason::KeyCompromise),
            Self::AffiliationChanged => Some(RevocationReason::AffiliationChanged),
            Self::Superseded => Some(RevocationReason::Superseded),
            Self::CessationOfOperation => Some(RevocationReason::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(RevocationReason::PrivilegeWithdrawn),
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        out.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A revocation list's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The bytes themselves.
    pub der: Vec<u8>,
    /// The distinguished name of the authority whose certificates it is about.
    pub issuer: String,
    /// Its number in decimal; a later list has a higher one.
    pub number: Option<String>,
    /// When it was made.
    pub this_update: Moment,
    /// When it ends; without an end it cannot be used.
    pub next_update: Option<Moment>,
    /// What is revoked, in the list's order.
    pub revoked: Vec<RevokedCertificate>,
}

/// A certificate on a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Since when.
    pub at: Moment,
    /// Why.
    pub reason: Reason,
}

impl RevocationList {
    /// Reads DER.
    ///
    /// # Errors
    /// Why it is no revocation list, as half a sentence.
    pub fn parse(der: &[u8]) -> Result<Self, &'static str> {
        let (rest, read) =
            CertificateRevocationList::from_der(der).map_err(|_| "the block is no X.509 revocation list")?;
        if !rest.is_empty() {
            return Err("bytes follow the revocation list in its block");
        }
        let revoked = read.iter_revoked_certificates().map(|entry| RevokedCertificate {
            serial: serial_text(entry.raw_serial()),
            at: Moment::from_seconds(entry.revocation_date.timestamp()),
            reason: Reason::of_code(entry.reason_code().map_or(0, |(_, code)| code.0)),
        });
        Ok(Self {
            der: der.to_vec(),
            issuer: read.issuer().to_string(),
            number: read.crl_number().map(ToString::to_string),
            this_update: Moment::from_seconds(read.last_update().timestamp()),
            next_update: read.next_update().map(|end| Moment::from_seconds(end.timestamp())),
            revoked: revoked.collect(),
        })
    }

    /// Whether that authority's key signed it, and under its name.
    #[must_use]
    pub fn is_signed_by(&self, authority: &Certificate) -> bool {
        let (Ok((_, own)), Ok((_, signer))) =
            (CertificateRevocationList::from_der(&self.der), X509Certificate::from_der(&authority.der))
        else {
            return false;
        };
        own.issuer().as_raw() == signer.subject().as_raw()
            && own.verify_signature(signer.public_key()).is_ok()
    }

    /// Whether it was made after another one of the same authority: by its number, else by its time.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let order = |list: &Self| list.number.as_ref().map(|number| (number.len(), number.clone()));
        match (order(self), order(other)) {
            (Some(own), Some(others)) => own > others,
            _ => self.this_update > other.this_update,
        }
    }

    /// The list as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("X509 CRL", &self.der)
    }
}

/// The revocation lists of the text of a PEM file, in its order.
pub(super) fn lists_in(path: &Path, text: &[u8]) -> Result<Vec<RevocationList>, PkiError> {
    let mut found = Vec::new();
    for der in CertificateRevocationListDer::pem_slice_iter(text) {
        let der =
            der.map_err(|error| PkiError::unusable(path, format!("it is no well-formed PEM ({error})")))?;
        found.push(RevocationList::parse(&der).map_err(|reason| PkiError::unusable(path, reason))?);
    }
    Ok(found)
}

/// From when to when a list is good, and its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edition {
    pub(super) number: u64,
    pub(super) now: Moment,
    pub(super) days: u32,
}

/// Signs the list of what is revoked.
pub(super) fn sign<'a>(
    issuer: &Issuer<'static, KeyPair>,
    revoked: impl Iterator<Item = &'a RevokedEntry>,
    edition: Edition,
) -> Result<RevocationList, PkiError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut revoked_certs = Vec::new();
    for entry in revoked {
        let serial = data_encoding::HEXLOWER_PERMISSIVE.decode(whole_bytes(&entry.serial).as_bytes());
        let serial =
            serial.map_err(|_| PkiError::Cryptography("a serial number is not hexadecimal".to_owned()))?;
        revoked_certs.push(RevokedCertParams {
            serial_number: serial.into(),
            revocation_time: epoch + entry.at.since_epoch(),
            reason_code: entry.reason.written(),
            invalidity_date: None,
        });
    }
    let params = CertificateRevocationListParams {
        // A little in the past, for clocks that run behind.
        this_update: epoch + edition.now.minus_seconds(BACKDATED_SECONDS).since_epoch(),
        next_update: epoch + edition.now.plus_days(edition.days).since_epoch(),
        crl_number: edition.number.into(),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let signed = params.signed_by(issuer)?;
    RevocationList::parse(signed.der()).map_err(|reason| PkiError::Cryptography(reason.to_owned()))
}

/// Hexadecimal digits of an even number.
fn whole_bytes(digits: &str) -> String {
    if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") }
}
