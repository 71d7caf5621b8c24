//! Issuing: one client or server certificate with a fresh key.
//!
//! The authority signs leaves itself, so the chain is the leaf alone; the authority's own certificate is not
//! repeated in it, since the other end must hold it anyway.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};
use zeroize::Zeroizing;

use super::PkiError;
use super::ca::{CA_PEM, Ca, params_valid_for, write_certificate};
use crate::peer::Principal;
use crate::secret_file;

/// The longest life of a leaf, in days.
const LEAF_DAYS_MAX: u32 = 825;
/// The most host names of one server certificate.
const SERVER_NAMES_MAX: usize = 32;
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
    /// The authority that signed it.
    pub ca_pem: PathBuf,
}

impl Ca {
    /// Issues a certificate with a fresh key and writes both beside the authority: `<name>.pem`, `<name>.key`.
    ///
    /// # Errors
    /// In this order: the request breaks a rule, the principal is of another trust domain, files of that name exist
    /// and are to be kept, or the files cannot be written.
    pub fn issue(&self, request: &LeafRequest) -> Result<Issued, PkiError> {
        check_form(request)?;
        let params = self.leaf_params(request)?;
        let issued = Issued {
            certificate_pem: self.folder().join(format!("{}.pem", request.file_stem)),
            key_pem: self.folder().join(format!("{}.key", request.file_stem)),
            ca_pem: self.folder().join(CA_PEM),
        };
        make_room(&issued, request.existing)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, self.issuer())?;
        secret_file::create(&issued.key_pem, &Zeroizing::new(key.serialize_pem()))?;
        write_certificate(&issued.certificate_pem, &certificate.pem())?;
        Ok(issued)
    }

    fn leaf_params(&self, request: &LeafRequest) -> Result<CertificateParams, PkiError> {
        let mut params = params_valid_for(request.days.into())?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (common_name, usage) = match &request.leaf_use {
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
    if !well_formed || stem == "ca" {
        return refused(format!(
            "{stem:?} is no name for a certificate's files: use lower-case letters, digits, dots, dashes and \
             underscores, and not `ca`"
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

/// Refuses where a file is in the way, or clears the way when told to.
fn make_room(issued: &Issued, existing: Existing) -> Result<(), PkiError> {
    for path in [&issued.key_pem, &issued.certificate_pem] {
        match existing {
            Existing::Keep if path.exists() => return Err(PkiError::LeafExists { path: path.clone() }),
            Existing::Keep => {}
            Existing::Replace => remove_if_there(path)?,
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), PkiError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PkiError::Unwritable { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
