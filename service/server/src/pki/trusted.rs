//! Whose client certificates the hub takes: one file of authorities, one of their revocation lists.
//!
//! `client-ca.pem` holds the folder's own authority and every imported one, `crl.pem` the list of each. Both change
//! in one step, and a hub that runs takes the change. A new authority's list is written before the authority, one
//! that goes is removed before its list, so that no authority ever stands without its list. Absent: the decision
//! what an authority without a list may do; that is the hub's configuration.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::certificate::{Certificate, certificates_in, read_certificates};
use super::crl::{RevocationList, lists_in};
use super::folder::{self, CA_PEM, CLIENT_CA_PEM, CRL_PEM};
use super::{Moment, PkiError};

/// The smallest RSA key that is taken, in bits.
const RSA_BITS_MIN: u32 = 2_048;
/// Most authorities in the file; each connection's handshake looks through them.
const AUTHORITIES_MAX: usize = 64;
/// Fewest digits that name an authority by the beginning of its fingerprint.
const FINGERPRINT_DIGITS_MIN: usize = 8;

/// What an import changed.
#[derive(Debug)]
pub struct Imported {
    /// Authorities that were not there before.
    pub authorities: Vec<Certificate>,
    /// Revocation lists that took their place, or that of an older one.
    pub lists: Vec<RevocationList>,
    /// Authorities of the import that have no revocation list in the folder.
    pub without_list: Vec<Certificate>,
    /// The file of authorities.
    pub client_ca_pem: PathBuf,
    /// Whether that file is new, so that a hub that runs does not read it yet.
    pub is_new: bool,
}

/// Takes an authority's certificate, and its revocation list where there is one, among those of the folder.
///
/// The folder need not have an authority of its own. An authority that is there already is refused, unless a newer
/// revocation list comes with it. Of several lists of one authority the newest counts.
///
/// # Errors
/// In this order: a file cannot be read, a certificate is no authority's or may not be used, it is there already, a
/// list is none of these authorities', over, or not newer; or the folder cannot be written.
pub fn import(folder: &Path, ca_pem: &Path, crl_pem: Option<&Path>) -> Result<Imported, PkiError> {
    crate::secret_file::create_folder(folder)?;
    let _locked = folder::lock(folder)?;
    let now = Moment::now()?;
    let named = read_certificates(ca_pem)?;
    for certificate in &named {
        check_authority(ca_pem, certificate, now)?;
    }
    let mut trusted = authorities(folder)?;
    let fresh: Vec<Certificate> = named.iter().filter(|one| !trusted.contains(one)).cloned().collect();
    if let (None, Some(known)) = (crl_pem, named.iter().find(|one| trusted.contains(one))) {
        let reason = format!(
            "the authority {} is imported already; to bring its revocation list up to date, name that with --crl",
            known.fingerprint
        );
        return Err(PkiError::unusable(ca_pem, reason));
    }
    let mut lists = lists(folder)?;
    let brought = crl_pem.map_or(Ok(Vec::new()), |path| brought_lists(path, &named, &lists, now))?;
    trusted.extend(fresh.iter().cloned());
    if trusted.len() > AUTHORITIES_MAX {
        return Err(PkiError::unusable(
            ca_pem,
            format!("more than {AUTHORITIES_MAX} authorities are too many"),
        ));
    }
    for list in &brought {
        lists.retain(|old| !named.iter().any(|ca| old.is_signed_by(ca) && list.is_signed_by(ca)));
        lists.push(list.clone());
    }
    let client_ca_pem = folder.join(CLIENT_CA_PEM);
    let is_new = !client_ca_pem.exists();
    write_lists(folder, &lists)?;
    write_authorities(folder, &trusted)?;
    let without_list =
        named.into_iter().filter(|ca| !lists.iter().any(|list| list.is_signed_by(ca))).collect();
    Ok(Imported { authorities: fresh, lists: brought, without_list, client_ca_pem, is_new })
}

/// The authorities whose client certificates the hub takes. Before the first import it is the folder's own.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn authorities(folder: &Path) -> Result<Vec<Certificate>, PkiError> {
    for name in [CLIENT_CA_PEM, CA_PEM] {
        let path = folder.join(name);
        if let Some(text) = folder::read_if_there(&path)? {
            return certificates_in(&path, &text);
        }
    }
    Ok(Vec::new())
}

/// The revocation lists of a folder, its own and imported ones.
///
/// # Errors
/// The file cannot be read or is damaged.
pub fn lists(folder: &Path) -> Result<Vec<RevocationList>, PkiError> {
    let path = folder.join(CRL_PEM);
    let text = folder::read_if_there(&path)?.unwrap_or_default();
    lists_in(&path, &text).map_err(|error| {
        let advice =
            "remove it, sign it anew with `pointbridge pki crl`, and import the lists of others again";
        PkiError::unusable(&path, format!("{error}; {advice}"))
    })
}

/// The one authority of the file whose fingerprint begins with these digits.
pub(super) fn named(trusted: &[Certificate], digits: &str) -> Result<Certificate, PkiError> {
    let refused = |text: String| Err(PkiError::RequestRefused(text));
    if digits.len() < FINGERPRINT_DIGITS_MIN {
        return refused(format!("give at least {FINGERPRINT_DIGITS_MIN} digits of the fingerprint"));
    }
    let mut found = trusted.iter().filter(|ca| ca.fingerprint.starts_with(digits));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (None, _) => {
            let known: Vec<&str> = trusted.iter().map(|ca| ca.fingerprint.as_str()).collect();
            refused(format!("no authority has the fingerprint {digits}; there are: {}", known.join(", ")))
        }
        (Some(_), Some(_)) => refused(format!("two fingerprints begin with {digits}: give more of it")),
    }
}

pub(super) fn write_authorities(folder: &Path, authorities: &[Certificate]) -> Result<(), PkiError> {
    let text: String = authorities.iter().map(Certificate::pem).collect();
    folder::replace_public(&folder.join(CLIENT_CA_PEM), &text)
}

pub(super) fn write_lists(folder: &Path, lists: &[RevocationList]) -> Result<(), PkiError> {
    let path = folder.join(CRL_PEM);
    let text: String = lists.iter().map(RevocationList::pem).collect();
    // A file without a list would promise what it does not hold.
    if lists.is_empty() { folder::remove_if_there(&path) } else { folder::replace_public(&path, &text) }
}

/// Whether the hub may trust this certificate's key with saying who somebody is.
fn check_authority(path: &Path, ca: &Certificate, now: Moment) -> Result<(), PkiError> {
    let refused = |reason: String| Err(PkiError::unusable(path, reason));
    if !ca.is_ca {
        return refused(format!(
            "{} is no authority's certificate (its basic constraints do not say CA): import the CA that signed it",
            ca.subject
        ));
    }
    if !ca.may_sign_certificates {
        return refused(format!(
            "{} may not sign certificates (its key usage lacks keyCertSign)",
            ca.subject
        ));
    }
    if now < ca.not_before || now >= ca.not_after {
        return refused(format!(
            "{} is valid from {} to {}, not now",
            ca.subject, ca.not_before, ca.not_after
        ));
    }
    let rsa_bits = ca.key.strip_prefix("RSA ").map(|bits| bits.parse().unwrap_or(0_u32));
    if ca.key.starts_with("another") || rsa_bits.is_some_and(|bits| bits < RSA_BITS_MIN) {
        return refused(format!("the key of {} is {}: too weak, or of a kind not taken", ca.subject, ca.key));
    }
    if ca.signature.starts_with("another") || ca.signature.ends_with("SHA-1") {
        return refused(format!("{} is signed by {}, which is not taken", ca.subject, ca.signature));
    }
    if ca.is_self_issued() && !ca.is_signed_by(ca) {
        return refused(format!(
            "{} names itself as its issuer, and its signature is not its own",
            ca.subject
        ));
    }
    // What the transport itself thinks of it is asked last in any case.
    let added = RootCertStore::empty().add(CertificateDer::from(ca.der.as_slice()));
    added.or_else(|error| refused(format!("{} cannot be used ({error})", ca.subject)))
}

/// The newest list of each authority in a file, each of one of these, in force and newer than what is there.
fn brought_lists(
    path: &Path,
    authorities: &[Certificate],
    present: &[RevocationList],
    now: Moment,
) -> Result<Vec<RevocationList>, PkiError> {
    let refused = |reason: String| Err(PkiError::unusable(path, reason));
    let brought = lists_in(path, &folder::read(path)?)?;
    if brought.is_empty() {
        return refused("it holds no X509 CRL block: is it the right file, and in PEM?".to_owned());
    }
    let newest = newest_of_each(path, brought, authorities)?;
    for (ca, list) in &newest {
        if !ca.may_sign_crls {
            return refused(format!(
                "{} may not sign revocation lists (its key usage lacks cRLSign)",
                ca.subject
            ));
        }
        match list.next_update {
            None => return refused(format!("the list of {} names no end (nextUpdate)", list.issuer)),
            Some(end) if end <= now => {
                return refused(format!("the list of {} ended on {end}: fetch a newer one", list.issuer));
            }
            Some(_) => {}
        }
        let mut older = present.iter().filter(|old| old.is_signed_by(ca) && old.der != list.der);
        if older.any(|old| !list.is_newer_than(old)) {
            return refused(format!("the list of {} is not newer than the one that is there", list.issuer));
        }
    }
    Ok(newest.into_iter().map(|(_, list)| list).collect())
}

/// Of each authority's lists the newest, whatever the order in the file: an older edition takes back revocations.
fn newest_of_each<'a>(
    path: &Path,
    brought: Vec<RevocationList>,
    authorities: &'a [Certificate],
) -> Result<Vec<(&'a Certificate, RevocationList)>, PkiError> {
    let refused = |reason: String| Err(PkiError::unusable(path, reason));
    let mut newest: Vec<(&Certificate, RevocationList)> = Vec::new();
    for list in brought {
        let Some(ca) = authorities.iter().find(|ca| list.is_signed_by(ca)) else {
            return refused(format!(
                "the list of {} is not signed by an authority of this import",
                list.issuer
            ));
        };
        match newest.iter_mut().find(|(of, _)| *of == ca) {
            None => newest.push((ca, list)),
            Some((_, kept)) if list.is_newer_than(kept) => *kept = list,
            Some((_, kept)) if kept.is_newer_than(&list) || kept.der == list.der => {}
            Some(_) => {
                return refused(format!(
                    "it holds two lists of {} and neither is newer: fetch it again",
                    list.issuer
                ));
            }
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests;
