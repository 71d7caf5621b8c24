//! Renewing: a new certificate for the same names, in the same files.
//!
//! Both files are written beside their places and renamed one right after the other, key first; a hub that reads in
//! between finds a pair that does not match and keeps the one that it has. What a power cut left in between is settled
//! by the next renewal. Absent: revoking the old certificate; it
//! stays good until it ends, so that whoever holds a copy can change over in peace.

use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData};

use super::ca::Ca;
use super::certificate::{Certificate, Usage, read_certificates};
use super::folder;
use super::leaf::{Issued, LEAF_DAYS_MAX, LeafUse, Order, settle_left};
use super::{Moment, PkiError};
use crate::peer::Principal;
use crate::secret_file;

/// Whether the key changes, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChoice {
    /// A fresh key.
    Fresh,
    /// The key that is there.
    Keep,
}

/// A certificate that was renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// A client's principal as its path; a server's names.
    pub name: String,
    /// Where it lies.
    pub issued: Issued,
}

impl Ca {
    /// Renews the certificate of a file, for so many days; without a number, for as long as it had.
    ///
    /// # Errors
    /// In this order: the file holds no certificate that an authority of the folder signed for a client or a server,
    /// it was revoked, its kept key is missing or another's, the authority ends first, or files cannot be written.
    pub fn renew(&self, path: &Path, days: Option<u32>, key: KeyChoice) -> Result<Renewal, PkiError> {
        let locked = folder::lock(self.folder())?;
        let key_pem = path.with_extension("key");
        settle_left(path, &key_pem)?;
        let certificates = read_certificates(path)?;
        let (certificate, leaf_use) = match certificates.first() {
            Some(first) => (first, self.leaf_use_of(path, first)?),
            None => return Err(PkiError::unusable(path, "it holds no certificate")),
        };
        let order = Order {
            leaf_use: &leaf_use,
            days: days.unwrap_or_else(|| days_of(certificate)).clamp(1, LEAF_DAYS_MAX),
            certificate_pem: path.to_owned(),
            key: (key == KeyChoice::Keep).then(|| kept_key(certificate, &key_pem)).transpose()?,
            key_pem,
        };
        let issued = self.carry_out(&locked, order)?;
        Ok(Renewal { name: leaf_use.name(), issued })
    }

    /// The files of certificates in the folder that an authority of it signed, that are not revoked, that end within
    /// so many days (without a number, all of them), and that are for this (without a word, for anything).
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn renewable(
        &self,
        within_days: Option<u32>,
        usage: Option<Usage>,
    ) -> Result<Vec<PathBuf>, PkiError> {
        let now = Moment::now()?;
        let mut due = Vec::new();
        for path in folder::pem_files(self.folder())? {
            let certificates = read_certificates(&path).unwrap_or_default();
            let Some(first) = certificates.first() else { continue };
            let is_due = within_days.is_none_or(|days| first.not_after <= now.plus_days(days))
                && usage.is_none_or(|usage| first.usage == usage);
            if is_due && self.leaf_use_of(&path, first).is_ok() {
                due.push(path);
            }
        }
        Ok(due)
    }

    /// What a certificate of ours is for, where it may be renewed.
    fn leaf_use_of(&self, path: &Path, certificate: &Certificate) -> Result<LeafUse, PkiError> {
        let refused = |reason: String| Err(PkiError::unusable(path, reason));
        let own = self.own_certificates()?;
        if certificate.is_ca {
            return refused(
                "an authority is not renewed but replaced: `pointbridge pki rotate-ca`".to_owned(),
            );
        }
        let Some(authority) = own.iter().find(|one| certificate.is_signed_by(one)) else {
            return refused(format!(
                "it is by {}, none of this folder's authorities: renew it where it was issued",
                certificate.issuer
            ));
        };
        if let Some(entry) = self.revoked_by(&authority.fingerprint)?.get(&certificate.serial) {
            return refused(format!(
                "it was revoked on {} ({}): issue another one if it shall be let in again",
                entry.at, entry.reason
            ));
        }
        match (certificate.usage, certificate.uris.as_slice()) {
            (Usage::Server, []) if !certificate.hosts.is_empty() => {
                Ok(LeafUse::Server(certificate.hosts.clone()))
            }
            (Usage::Client, [uri]) => match Principal::parse(uri, self.trust_domain()) {
                Ok(principal) => Ok(LeafUse::Client(principal)),
                Err(error) => refused(error.to_string()),
            },
            _ => refused("it is neither a client's nor a server's certificate by this authority".to_owned()),
        }
    }
}

/// The whole days that a certificate was made for.
fn days_of(certificate: &Certificate) -> u32 {
    // Certificates begin a little early: rounding down takes that off again.
    u32::try_from(certificate.not_after.days_after(certificate.not_before)).unwrap_or(1)
}

fn kept_key(certificate: &Certificate, path: &Path) -> Result<KeyPair, PkiError> {
    let key = KeyPair::from_pem(&secret_file::read(path)?)
        .map_err(|_| PkiError::unusable(path, "it holds no usable private key: renew with a fresh one"))?;
    if certificate.has_public_key(key.der_bytes()) {
        Ok(key)
    } else {
        Err(PkiError::unusable(
            path,
            "it is not the key of the certificate beside it: renew with a fresh one",
        ))
    }
}

#[cfg(test)]
mod tests;
