//! What stands in PEM files, and what a hub would say to it.
//!
//! The verdict on a client's certificate is the transport's own: the same verifier, fed with the folder's authorities
//! and revocation lists. Absent: the hub's database; whether a partner is registered or suspended is asked there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{PemObject, SectionKind};
use serde::Serialize;

use super::certificate::{Certificate, Usage};
use super::crl::RevocationList;
use super::folder;
use super::verdict::{Taken, Verdict};
use super::{Moment, PkiError};
use crate::secret_file;

/// What a block of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An authority's certificate.
    Ca,
    /// A client's certificate.
    Client,
    /// A server's certificate.
    Server,
    /// A certificate for something else, or for both.
    Other,
    /// A revocation list.
    Crl,
    /// A private key.
    Key,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "CA",
            Self::Client => "client",
            Self::Server => "server",
            Self::Other => "other",
            Self::Crl => "CRL",
            Self::Key => "key",
        }
    }
}

/// A private key's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFile {
    /// The file.
    pub path: PathBuf,
    /// Its mode in octal, such as `600`.
    pub mode: String,
    /// Whether it is the certificate's key; nothing where it cannot be read.
    pub is_its_key: Option<bool>,
}

/// A certificate, revocation list or key that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file that it stands in.
    pub file: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// A client's principal, a server's names, an authority's own name.
    pub name: String,
    /// The certificate's serial number, or the revocation list's number.
    pub serial: Option<String>,
    /// SHA-256 of its bytes.
    pub fingerprint: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// From when on it is good.
    pub not_before: Option<Moment>,
    /// When it ends.
    pub not_after: Option<Moment>,
    /// Whole days until then; negative when it is over.
    pub days_left: Option<i64>,
    /// Whether less than a third of its life is left.
    pub is_ending: bool,
    /// The kind of its key.
    pub key: Option<String>,
    /// The key's file beside it.
    pub key_file: Option<KeyFile>,
    /// Since when and why it is revoked; how many are, on a list.
    pub revoked: Option<String>,
    /// What the hub would say.
    pub verdict: Verdict,
}

/// What was found in a file or folder.
#[derive(Debug)]
pub struct Inspection {
    /// One for each block, file by file.
    pub findings: Vec<Finding>,
}

impl Inspection {
    /// Looks into a file, or into the `.pem` files of a folder, as a hub would with the authorities and revocation
    /// lists of `hub` (the folder itself, where it has an authority or a file of them).
    ///
    /// # Errors
    /// A file cannot be read, or holds nothing that is known.
    pub fn of(path: &Path, hub: &Path) -> Result<Self, PkiError> {
        let (files, hub) = if path.is_dir() {
            let is_hub = [folder::CA_PEM, folder::CLIENT_CA_PEM].iter().any(|name| path.join(name).exists());
            (folder::pem_files(path)?, if is_hub { path } else { hub })
        } else {
            (vec![path.to_owned()], hub)
        };
        let taken = Taken::of(hub, Moment::now()?)?;
        let mut findings = Vec::new();
        for file in files {
            inspect(&file, &taken, &mut findings)?;
        }
        if findings.is_empty() {
            let reason =
                "it holds no certificate, revocation list or private key in PEM: is it the right one?";
            return Err(PkiError::unusable(path, reason));
        }
        Ok(Self { findings })
    }
}

fn inspect(file: &Path, taken: &Taken, findings: &mut Vec<Finding>) -> Result<(), PkiError> {
    let text = folder::read(file)?;
    let mut chain: Vec<Certificate> = Vec::new();
    for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(&text) {
        let (kind, der) =
            block.map_err(|error| PkiError::unusable(file, format!("it is no well-formed PEM ({error})")))?;
        match kind {
            SectionKind::Certificate => {
                chain.push(Certificate::parse(&der).map_err(|reason| PkiError::unusable(file, reason))?);
            }
            SectionKind::Crl => {
                let list = RevocationList::parse(&der).map_err(|reason| PkiError::unusable(file, reason))?;
                findings.push(of_list(file, &list, taken));
            }
            SectionKind::PrivateKey | SectionKind::EcPrivateKey | SectionKind::RsaPrivateKey => {
                findings.push(of_key(file, &text));
            }
            _ => {}
        }
    }
    // Of a bundle of authorities each stands for itself; else the first one is the certificate, by way of the others.
    for (index, certificate) in chain.iter().enumerate() {
        let above = if index == 0 { chain.get(1..).unwrap_or_default() } else { &[] };
        findings.push(of_certificate(file, certificate, above, taken));
    }
    Ok(())
}

fn of_certificate(file: &Path, certificate: &Certificate, above: &[Certificate], taken: &Taken) -> Finding {
    let kind = kind_of(certificate);
    let key_file = (kind != Kind::Ca || file.with_extension("key").exists())
        .then(|| key_file(&file.with_extension("key"), certificate))
        .flatten();
    let verdict = match kind {
        Kind::Ca => taken.on_authority(certificate),
        Kind::Server => taken.on_server(certificate, key_file.as_ref()),
        _ => taken.on_client(certificate, above),
    };
    Finding {
        file: file.to_owned(),
        kind,
        name: name_of(certificate),
        serial: Some(certificate.serial.clone()),
        fingerprint: Some(certificate.fingerprint.clone()),
        issuer: Some(certificate.issuer.clone()),
        not_before: Some(certificate.not_before),
        not_after: Some(certificate.not_after),
        days_left: Some(certificate.not_after.days_after(taken.now)),
        is_ending: is_ending(certificate.not_before, certificate.not_after, taken.now),
        key: Some(certificate.key.clone()),
        key_file,
        revoked: taken.revocation_of(certificate).map(|entry| format!("{} ({})", entry.at, entry.reason)),
        verdict,
    }
}

fn of_list(file: &Path, list: &RevocationList, taken: &Taken) -> Finding {
    Finding {
        file: file.to_owned(),
        kind: Kind::Crl,
        name: list.issuer.clone(),
        serial: list.number.clone(),
        fingerprint: None,
        issuer: Some(list.issuer.clone()),
        not_before: Some(list.this_update),
        not_after: list.next_update,
        days_left: list.next_update.map(|end| end.days_after(taken.now)),
        is_ending: list.next_update.is_none_or(|end| is_ending(list.this_update, end, taken.now)),
        key: None,
        key_file: None,
        revoked: Some(format!("{} certificates", list.revoked.len())),
        verdict: taken.on_list(list),
    }
}

fn of_key(file: &Path, text: &[u8]) -> Finding {
    let mode = mode_of(file).unwrap_or_default();
    let is_private = mode & secret_file::MODE_OF_OTHERS == 0;
    let is_readable = PrivateKeyDer::from_pem_slice(text).is_ok();
    let verdict = match (is_private, is_readable) {
        (false, _) => Verdict::refused(format!(
            "its mode is {mode:o}: others may read it; run chmod 600 if nobody can have, else replace it"
        )),
        (true, false) => Verdict::refused("no private key that can be read"),
        (true, true) => Verdict::taken("its owner alone may read it"),
    };
    Finding {
        file: file.to_owned(),
        kind: Kind::Key,
        name: String::new(),
        serial: None,
        fingerprint: None,
        issuer: None,
        not_before: None,
        not_after: None,
        days_left: None,
        is_ending: false,
        key: None,
        key_file: Some(KeyFile { path: file.to_owned(), mode: format!("{mode:o}"), is_its_key: None }),
        revoked: None,
        verdict,
    }
}

fn kind_of(certificate: &Certificate) -> Kind {
    match (certificate.is_ca, certificate.usage) {
        (true, _) => Kind::Ca,
        (false, Usage::Client) => Kind::Client,
        (false, Usage::Server) => Kind::Server,
        (false, Usage::Both | Usage::Neither) => Kind::Other,
    }
}

/// The path of its URI where it has one, else its hosts, else its subject.
fn name_of(certificate: &Certificate) -> String {
    match (certificate.uris.first(), certificate.hosts.is_empty()) {
        (Some(uri), _) if !certificate.is_ca => {
            let path = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
            path.map_or_else(|| uri.clone(), |(_, path)| path.to_owned())
        }
        (_, false) => certificate.hosts.join(", "),
        _ => certificate.subject.clone(),
    }
}

fn key_file(path: &Path, certificate: &Certificate) -> Option<KeyFile> {
    let mode = mode_of(path)?;
    let key = secret_file::read(path).ok().and_then(|text| KeyPair::from_pem(&text).ok());
    let is_its_key = key.map(|key| certificate.has_public_key(key.der_bytes()));
    Some(KeyFile { path: path.to_owned(), mode: format!("{mode:o}"), is_its_key })
}

fn mode_of(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|facts| facts.permissions().mode() & 0o777)
}

/// Whether less than a third of a life is left.
fn is_ending(from: Moment, to: Moment, now: Moment) -> bool {
    let (left, whole) =
        (to.seconds().saturating_sub(now.seconds()), to.seconds().saturating_sub(from.seconds()));
    left.saturating_mul(3) < whole
}

#[cfg(test)]
mod tests;
