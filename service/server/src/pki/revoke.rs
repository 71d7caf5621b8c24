//! Revoking, and signing the lists that say so.
//!
//! A revocation stands in the journal before it stands in the list; what a list says stays revoked even where the
//! journal was lost. Each edition has a higher number than every one before. Absent: taking a revocation back; whoever
//! was revoked by mistake gets a new certificate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ca::{Authority, Ca};
use super::certificate::{Certificate, plain_hex, read_certificates};
use super::crl::{self, CRL_DAYS_DEFAULT, Edition, Reason, RevocationList};
use super::folder::{self, CRL_PEM, Locked};
use super::journal::{CrlEntry, Entry, IssuedEntry, Journal, RevokedEntry};
use super::{Moment, PkiError, trusted};

/// The longest life of a revocation list, in days: as long as a certificate's.
const CRL_DAYS_MAX: u32 = super::leaf::LEAF_DAYS_MAX;

/// Which certificate to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one in this file.
    File(PathBuf),
    /// The one with this serial number, hexadecimal.
    Serial(String),
    /// Every one of this principal that is not over: its path, such as `partner/airline/partner/till-7`, or its
    /// SPIFFE id.
    Principal(String),
}

/// A certificate that the folder's authorities issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// A client's principal as its path; a server's names.
    pub name: String,
    /// When it ends.
    pub not_after: Moment,
    /// The fingerprint of the authority that signed it.
    authority: String,
}

/// What was revoked.
#[derive(Debug)]
pub struct Revocation {
    /// Certificates that were good before.
    pub revoked: Vec<Known>,
    /// Certificates that were revoked already.
    pub before: Vec<Known>,
    /// The file that says so.
    pub crl_pem: PathBuf,
    /// Whether that file is new, so that a hub that runs does not read it yet.
    pub is_new: bool,
}

impl Ca {
    /// Revokes certificates and signs the list anew. What is revoked already stays as it is.
    ///
    /// # Errors
    /// In this order: the target cannot be read, or the folder's authorities signed no such certificate that is still
    /// good; or the folder cannot be written.
    pub fn revoke(&self, target: &Target, reason: Reason) -> Result<Revocation, PkiError> {
        let locked = folder::lock(self.folder())?;
        let now = Moment::now()?;
        let targets = self.targets(target, now)?;
        let mut done = Revocation {
            revoked: Vec::new(),
            before: Vec::new(),
            crl_pem: self.folder().join(CRL_PEM),
            is_new: !self.folder().join(CRL_PEM).exists(),
        };
        for known in targets {
            if self.revoked_by(&known.authority)?.contains_key(&known.serial) {
                done.before.push(known);
                continue;
            }
            let authority = known.authority.clone();
            let entry = RevokedEntry { at: now, serial: known.serial.clone(), reason, authority };
            Journal::append(self.folder(), &locked, &Entry::Revoked(entry))?;
            done.revoked.push(known);
        }
        // Also where nothing is new: the list may not have been written the last time.
        self.publish(&locked, &trusted::authorities(self.folder())?, None)?;
        Ok(done)
    }

    /// Signs the lists anew, good for so many days; without a number, for as long as the last ones.
    ///
    /// # Errors
    /// The number is not of 1–825, or the folder cannot be read or written.
    pub fn renew_crl(&self, days: Option<u32>) -> Result<Vec<RevocationList>, PkiError> {
        let locked = folder::lock(self.folder())?;
        self.publish(&locked, &trusted::authorities(self.folder())?, days)
    }

    /// What of one authority's certificates is revoked, by serial number: as the journal and its list have it.
    pub(super) fn revoked_by(&self, authority: &str) -> Result<BTreeMap<String, RevokedEntry>, PkiError> {
        let mut revoked = self.journal()?.revoked(authority);
        let own = self.own_certificates()?;
        let Some(signer) = own.iter().find(|one| one.fingerprint == authority) else { return Ok(revoked) };
        let lists = trusted::lists(self.folder())?;
        for entry in lists.iter().filter(|list| list.is_signed_by(signer)).flat_map(|list| &list.revoked) {
            revoked.entry(entry.serial.clone()).or_insert_with(|| RevokedEntry {
                at: entry.at,
                serial: entry.serial.clone(),
                reason: entry.reason,
                authority: authority.to_owned(),
            });
        }
        Ok(revoked)
    }

    /// Signs a list for each own authority among those that the hub takes, and keeps those of the others.
    pub(super) fn publish(
        &self,
        locked: &Locked,
        trusted: &[Certificate],
        days: Option<u32>,
    ) -> Result<Vec<RevocationList>, PkiError> {
        let last = self.journal()?.last_crl().cloned();
        let days = days.or(last.as_ref().map(|last| last.days)).unwrap_or(CRL_DAYS_DEFAULT);
        if !(1..=CRL_DAYS_MAX).contains(&days) {
            let said = format!("a revocation list is good for 1 to {CRL_DAYS_MAX} days");
            return Err(PkiError::RequestRefused(said));
        }
        let now = Moment::now()?;
        let own = self.own_certificates()?;
        let (mine, others): (Vec<_>, Vec<_>) = trusted::lists(self.folder())?
            .into_iter()
            .partition(|list| own.iter().any(|one| list.is_signed_by(one)));
        let numbers = mine.iter().filter_map(|list| list.number.as_deref()?.parse().ok());
        let highest = numbers.chain(last.map(|last| last.number)).max().unwrap_or(0);
        let edition = Edition { number: highest.saturating_add(1), now, days };
        let entry = CrlEntry { at: now, number: edition.number, days };
        Journal::append(self.folder(), locked, &Entry::Crl(entry))?;
        for one in &own {
            self.note_again(locked, one)?;
        }
        let mut lists = Vec::new();
        if trusted.contains(self.certificate()) {
            let revoked = self.revoked_by(&self.certificate().fingerprint)?;
            lists.push(crl::sign(self.issuer(), revoked.values(), edition)?);
        }
        for Authority { certificate, issuer } in self.retired()? {
            if trusted.contains(&certificate) {
                lists.push(crl::sign(&issuer, self.revoked_by(&certificate.fingerprint)?.values(), edition)?);
            }
        }
        let signed = lists.clone();
        lists.extend(others.into_iter().filter(|list| trusted.iter().any(|ca| list.is_signed_by(ca))));
        trusted::write_lists(self.folder(), &lists)?;
        Ok(signed)
    }

    /// Writes into the journal what a list of ours says and the journal does not, because it was lost.
    fn note_again(&self, locked: &Locked, authority: &Certificate) -> Result<(), PkiError> {
        let noted = self.journal()?.revoked(&authority.fingerprint);
        for (serial, entry) in self.revoked_by(&authority.fingerprint)? {
            if !noted.contains_key(&serial) {
                Journal::append(self.folder(), locked, &Entry::Revoked(entry))?;
            }
        }
        Ok(())
    }

    /// Every certificate that the folder knows of: from the journal, and from the files that lie in it.
    pub(super) fn known(&self) -> Result<Vec<Known>, PkiError> {
        let mut known: Vec<Known> = self.journal()?.issued().map(Known::from).collect();
        let own = self.own_certificates()?;
        for path in folder::pem_files(self.folder())? {
            // What is damaged or somebody else's is none of the certificates that are looked for.
            for certificate in read_certificates(&path).unwrap_or_default() {
                if let Some(found) = Known::of(&certificate, &own)
                    && !known.iter().any(|one| one.serial == found.serial)
                {
                    known.push(found);
                }
            }
        }
        Ok(known)
    }

    fn targets(&self, target: &Target, now: Moment) -> Result<Vec<Known>, PkiError> {
        let refused = |text: String| Err(PkiError::RequestRefused(text));
        let journal = self.folder().join(folder::JOURNAL);
        let found: Vec<Known> = match target {
            Target::File(path) => vec![self.known_in(path)?],
            Target::Serial(text) => {
                let serial = plain_hex(text)?;
                let serial = serial.trim_start_matches('0');
                let same = |known: &Known| known.serial.trim_start_matches('0') == serial;
                self.known()?.into_iter().filter(same).collect()
            }
            Target::Principal(text) => {
                let path = text
                    .strip_prefix("spiffe://")
                    .map_or(text.as_str(), |rest| rest.split_once('/').map_or("", |(_, path)| path));
                self.known()?.into_iter().filter(|known| known.name == path).collect()
            }
        };
        if found.is_empty() {
            return refused(format!(
                "no such certificate was issued here: neither {} nor a file beside it names it; where you have the \
                 certificate's file, give that",
                journal.display()
            ));
        }
        let good: Vec<Known> = found.into_iter().filter(|known| known.not_after > now).collect();
        if good.is_empty() {
            return refused(
                "each of these certificates is over already: nobody is let in with it".to_owned(),
            );
        }
        Ok(good)
    }

    fn known_in(&self, path: &Path) -> Result<Known, PkiError> {
        let certificates = read_certificates(path)?;
        let leaf = certificates.first().filter(|first| !first.is_ca);
        let leaf = leaf.ok_or_else(|| {
            let advice =
                "it is an authority's certificate: take the authority away with `pointbridge pki remove`";
            PkiError::unusable(path, advice)
        })?;
        Known::of(leaf, &self.own_certificates()?).ok_or_else(|| {
            let advice = "revoke it where it was issued, and bring that authority's list with `pointbridge pki import`";
            PkiError::unusable(path, format!("its issuer, {}, is none of this folder's: {advice}", leaf.issuer))
        })
    }
}

impl Known {
    fn of(certificate: &Certificate, own: &[Certificate]) -> Option<Self> {
        let authority = own.iter().find(|one| certificate.is_signed_by(one) && certificate != *one)?;
        let path = certificate.uris.first().and_then(|uri| uri.strip_prefix("spiffe://")?.split_once('/'));
        Some(Self {
            serial: certificate.serial.clone(),
            name: path.map_or_else(|| certificate.hosts.join(", "), |(_, path)| path.to_owned()),
            not_after: certificate.not_after,
            authority: authority.fingerprint.clone(),
        })
    }
}

impl From<&IssuedEntry> for Known {
    fn from(entry: &IssuedEntry) -> Self {
        Self {
            serial: entry.serial.clone(),
            name: entry.name.clone(),
            not_after: entry.not_after,
            authority: entry.authority.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
