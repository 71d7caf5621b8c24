//! Issuing: one client or server certificate with a fresh key.
//!
//! The authority signs leaves itself, so the chain is the leaf alone; the authority's own certificate is not
//! repeated in it, since the other end must hold it anyway. A certificate stands in the journal before it stands in
//! its file.

use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType,
};
use zeroize::Zeroizing;

use super::ca::{Ca, params_valid_for};
use super::certificate::{Certificate, read_certificates};
use super::folder::{self, CA_PEM, HUB_CA_PEM, Locked, Staged};
use super::journal::{Entry, IssuedEntry, Journal};
use super::{Moment, PkiError};
use crate::peer::Principal;
use crate::secret_file;

/// The longest life of a leaf, in days.
pub(super) const LEAF_DAYS_MAX: u32 = 825;
/// The most host names of one server certificate.
const SERVER_NAMES_MAX: usize = 32;
/// Names of the authority's own files.
const RESERVED: [&str; 4] = ["ca", "client-ca", "crl", "hub-ca"];
/// The longest common name that X.509 allows, in bytes.
const COMMON_NAME_BYTES_MAX: usize = 64;

/// What a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafUse {
    /// A client: its only URI is the principal's SPIFFE id.
    Client(Principal),
    /// A server: the DNS names and IP addresses by which clients reach it, 1–32.
    Server(Vec<String>),
}

impl LeafUse {
    /// The principal's path, or the server's names joined by commas.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Client(principal) => principal.to_string(),
            Self::Server(names) => names.join(", "),
        }
    }
}

/// What to do with a certificate of the same file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and refuse the request.
    Keep,
    /// Put the new certificate and key in its place.
    Replace,
}

/// A certificate to issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRequest {
    /// What it is for.
    pub leaf_use: LeafUse,
    /// How long it is valid, in days: 1–825.
    pub days: u32,
    /// The files' name without extension: lower-case letters, digits, dots, dashes and underscores, 1–200 bytes.
    pub file_stem: String,
    /// What to do with files of that name.
    pub existing: Existing,
}

impl LeafRequest {
    /// A client certificate. Its files are named after the principal: `partner.airline.partner.till-7.pem`.
    #[must_use]
    pub fn client(principal: Principal, days: u32) -> Self {
        // Neither codes nor roles hold a dot, so that two principals never share a name.
        let file_stem = principal.to_string().replace('/', ".");
        Self { leaf_use: LeafUse::Client(principal), days, file_stem, existing: Existing::Keep }
    }

    /// A server certificate, in `server.pem` and `server.key`.
    #[must_use]
    pub fn server<Name: AsRef<str>>(names: &[Name], days: u32) -> Self {
        let names = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let leaf_use = LeafUse::Server(names);
        Self { leaf_use, days, file_stem: "server".to_owned(), existing: Existing::Keep }
    }

    /// The same request under another file name.
    #[must_use]
    pub fn named(self, file_stem: &str) -> Self {
        Self { file_stem: file_stem.to_owned(), ..self }
    }

    /// The same request, which may replace older files.
    #[must_use]
    pub fn replacing(self) -> Self {
        Self { existing: Existing::Replace, ..self }
    }
}

/// Where an issued certificate lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub certificate_pem: PathBuf,
    /// Its key, mode 0600.
    pub key_pem: PathBuf,
    /// The authorities by which a client knows the hub: two while one takes the other's place.
    pub ca_pem: PathBuf,
    /// When it ends.
    pub not_after: Moment,
}

/// A certificate to sign and to put in its place.
pub(super) struct Order<'a> {
    pub(super) leaf_use: &'a LeafUse,
    pub(super) days: u32,
    pub(super) certificate_pem: PathBuf,
    pub(super) key_pem: PathBuf,
    /// The key that it keeps; a fresh one is made where there is none.
    pub(super) key: Option<KeyPair>,
}

impl Ca {
    /// Issues a certificate with a fresh key and writes both beside the authority: `<name>.pem`, `<name>.key`.
    ///
    /// # Errors
    /// In this order: the request breaks a rule, files of that name exist and are to be kept, the principal is of
    /// another trust domain, the authority ends before the certificate would, or the files cannot be written.
    pub fn issue(&self, request: &LeafRequest) -> Result<Issued, PkiError> {
        check_form(request)?;
        let order = Order {
            leaf_use: &request.leaf_use,
            days: request.days,
            certificate_pem: self.folder().join(format!("{}.pem", request.file_stem)),
            key_pem: self.folder().join(format!("{}.key", request.file_stem)),
            key: None,
        };
        let locked = folder::lock(self.folder())?;
        if request.existing == Existing::Keep {
            settle_left(&order.certificate_pem, &order.key_pem)?;
            let mut files = [&order.key_pem, &order.certificate_pem].into_iter();
            if let Some(path) = files.find(|path| path.exists()) {
                return Err(PkiError::LeafExists { path: path.clone() });
            }
        }
        self.carry_out(&locked, order)
    }

    /// Finishes what was cut off between the key of this name and its certificate.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn settle(&self, file_stem: &str) -> Result<(), PkiError> {
        let file = |ending: &str| self.folder().join(format!("{file_stem}.{ending}"));
        let _locked = folder::lock(self.folder())?;
        settle_left(&file("pem"), &file("key"))
    }

    /// Signs, notes it in the journal, and puts certificate and key in their places, one right after the other.
    pub(super) fn carry_out(&self, locked: &Locked, order: Order<'_>) -> Result<Issued, PkiError> {
        let now = Moment::now()?;
        let params = self.leaf_params(order.leaf_use, now, order.days)?;
        self.outlives(now.plus_days(order.days))?;
        let is_kept = order.key.is_some();
        let key = order.key.map_or_else(KeyPair::generate, Ok)?;
        let signed = params.signed_by(&key, self.issuer())?;
        let certificate =
            Certificate::parse(signed.der()).map_err(|reason| PkiError::Cryptography(reason.to_owned()))?;
        let file = order.certificate_pem.file_name().unwrap_or_default();
        let entry = IssuedEntry {
            at: now,
            serial: certificate.serial.clone(),
            name: order.leaf_use.name(),
            file: file.to_string_lossy().into_owned(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            fingerprint: certificate.fingerprint.clone(),
            authority: self.certificate().fingerprint.clone(),
        };
        Journal::append(self.folder(), locked, &Entry::Issued(entry))?;
        let staged = folder::stage_public(&order.certificate_pem, &certificate.pem())?;
        if !is_kept {
            let text = Zeroizing::new(key.serialize_pem());
            folder::stage_secret(&order.key_pem, &text)?.settle()?;
        }
        staged.settle()?;
        Ok(Issued {
            certificate_pem: order.certificate_pem,
            key_pem: order.key_pem,
            ca_pem: self.hub_ca_pem(),
            not_after: certificate.not_after,
        })
    }

    fn hub_ca_pem(&self) -> PathBuf {
        let both = self.folder().join(HUB_CA_PEM);
        if both.exists() { both } else { self.folder().join(CA_PEM) }
    }

    fn leaf_params(&self, leaf_use: &LeafUse, now: Moment, days: u32) -> Result<CertificateParams, PkiError> {
        let mut params = params_valid_for(now, days)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (common_name, usage) = match leaf_use {
            LeafUse::Client(principal) => {
                if principal.trust_domain() != self.trust_domain() {
                    return Err(PkiError::TrustDomainForeign {
                        expected: self.trust_domain().to_string(),
                        found: principal.trust_domain().to_string(),
                    });
                }
                params.subject_alt_names = vec![SanType::URI(principal.uri().as_str().try_into()?)];
                (principal.subject(), ExtendedKeyUsagePurpose::ClientAuth)
            }
            LeafUse::Server(names) => {
                params.subject_alt_names = server_names(names)?;
                (names.first().map_or("", String::as_str), ExtendedKeyUsagePurpose::ServerAuth)
            }
        };
        params.extended_key_usages = vec![usage];
        // For people who look at the file; nothing decides by it, so a name too long for it is left out.
        if common_name.len() <= COMMON_NAME_BYTES_MAX {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        Ok(params)
    }
}

/// Puts a certificate that was left beside its place there, where it is the key's and the one in place is not.
///
/// The key settles first: a power cut right after that leaves the new key beside the old certificate, or none.
pub(super) fn settle_left(certificate_pem: &Path, key_pem: &Path) -> Result<(), PkiError> {
    let left = Staged::left_beside(certificate_pem);
    if !left.beside().exists() {
        return Ok(());
    }
    // A key that cannot be read is for the caller to tell; nothing goes with it.
    let key = secret_file::read(key_pem).ok().and_then(|text| KeyPair::from_pem(&text).ok());
    let Some(key) = key else { return Ok(()) };
    let is_its_own = |path: &Path| {
        let certificates = read_certificates(path).unwrap_or_default();
        certificates.first().is_some_and(|first| first.has_public_key(key.der_bytes()))
    };
    if is_its_own(left.beside()) && !is_its_own(certificate_pem) { left.settle() } else { Ok(()) }
}

fn check_form(request: &LeafRequest) -> Result<(), PkiError> {
    let refused = |text: String| Err(PkiError::RequestRefused(text));
    if !(1..=LEAF_DAYS_MAX).contains(&request.days) {
        return refused(format!("a certificate is valid for 1 to {LEAF_DAYS_MAX} days"));
    }
    let stem = request.file_stem.as_str();
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    let well_formed = (1..=200).contains(&stem.len())
        && stem.bytes().all(allowed)
        && stem.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !well_formed || RESERVED.contains(&stem) {
        return refused(format!(
            "{stem:?} is no name for a certificate's files: use lower-case letters, digits, dots, dashes and \
             underscores, and none of {}",
            RESERVED.join(", ")
        ));
    }
    match &request.leaf_use {
        LeafUse::Server(names) if !(1..=SERVER_NAMES_MAX).contains(&names.len()) => {
            refused(format!("a server certificate needs 1 to {SERVER_NAMES_MAX} DNS names or IP addresses"))
        }
        _ => Ok(()),
    }
}

fn server_names(names: &[String]) -> Result<Vec<SanType>, PkiError> {
    names
        .iter()
        .map(|name| {
            if let Ok(address) = name.parse() {
                return Ok(SanType::IpAddress(address));
            }
            let host = rustls_pki_types::DnsName::try_from(name.as_str());
            host.map_err(|_| PkiError::RequestRefused(format!("{name:?} is no DNS name and no IP address")))?;
            Ok(SanType::DnsName(name.as_str().try_into()?))
        })
        .collect()
}

#[cfg(test)]
mod tests;
