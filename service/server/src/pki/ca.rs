//! The authority itself: `ca.pem` and `ca.key` in a folder, and those that it took the place of.
//!
//! The trust domain stands in the authority's certificate, as its only URI, so that the folder needs no other file
//! that could disagree. Absent: intermediate authorities.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::certificate::{Certificate, certificates_in};
use super::crl::CRL_DAYS_DEFAULT;
use super::folder::{self, CA_KEY, CA_PEM, CLIENT_CA_PEM, CRL_PEM, Locked, RETIRED, Staged};
use super::journal::Journal;
use super::{Moment, PkiError, trusted};
use crate::peer::TrustDomain;
use crate::secret_file;

/// Ten years, leap days counted.
const CA_DAYS: u32 = 3_653;
/// Certificates begin a little in the past, for clocks that run behind.
pub(super) const BACKDATED_SECONDS: i64 = 5 * 60;

/// A certificate that signs, with its key.
pub(super) struct Authority {
    pub(super) certificate: Certificate,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// An authority that can sign.
pub struct Ca {
    folder: PathBuf,
    trust_domain: TrustDomain,
    authority: Authority,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ca").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Ca {
    /// Makes an authority in a folder, for ten years, with an empty revocation list that is good for 30 days.
    ///
    /// # Errors
    /// See [`Ca::init_for`].
    pub fn init(folder: &Path, trust_domain: &TrustDomain) -> Result<Self, PkiError> {
        Self::init_for(folder, trust_domain, CRL_DAYS_DEFAULT)
    }

    /// Makes an authority in a folder, for ten years: `ca.pem`, `ca.key` with mode 0600, the hub's file of
    /// authorities, and an empty revocation list that is good for `crl_days`.
    ///
    /// # Errors
    /// The folder has an authority already (its files are never overwritten; one for the same trust domain whose
    /// making was cut off is finished), or cannot be written.
    pub fn init_for(folder: &Path, trust_domain: &TrustDomain, crl_days: u32) -> Result<Self, PkiError> {
        secret_file::create_folder(folder)?;
        let locked = folder::lock(folder)?;
        let is_half = folder.join(CA_KEY).exists() && !folder.join(CA_PEM).exists();
        if is_half && Self::finish_change(folder)? {
            let ca = Self::open_locked(folder, &locked)?;
            if ca.trust_domain() == trust_domain {
                drop(locked);
                ca.complete(crl_days)?;
                return Ok(ca);
            }
        }
        for path in [folder.join(CA_PEM), folder.join(CA_KEY)] {
            if path.exists() {
                return Err(PkiError::CaExists { path });
            }
        }
        New::stage(folder, trust_domain)?.settle()?;
        let ca = Self::open_locked(folder, &locked)?;
        drop(locked);
        ca.complete(crl_days)?;
        Ok(ca)
    }

    /// Opens the authority of a folder.
    ///
    /// # Errors
    /// There is none, its key is open to others, or its files are damaged or not of one pair.
    pub fn open(folder: &Path) -> Result<Self, PkiError> {
        match Self::read(folder) {
            // Somebody changes it at this moment, or a change was cut off: who holds the folder knows.
            Err(PkiError::CaMalformed { .. }) => Self::open_locked(folder, &folder::lock(folder)?),
            other => other,
        }
    }

    /// Opens the authority of a folder that nobody else changes, and finishes a change that was cut off between its
    /// two files.
    pub(super) fn open_locked(folder: &Path, _locked: &Locked) -> Result<Self, PkiError> {
        match Self::read(folder) {
            Err(PkiError::CaMalformed { .. }) if Self::finish_change(folder)? => Self::read(folder),
            other => other,
        }
    }

    fn read(folder: &Path) -> Result<Self, PkiError> {
        let (certificate_path, key_path) = (folder.join(CA_PEM), folder.join(CA_KEY));
        match (certificate_path.exists(), key_path.exists()) {
            (_, false) => return Err(PkiError::CaMissing { path: folder.to_owned() }),
            (false, true) => {
                let said = "ca.key is there and its certificate is missing: put back a copy of it";
                return Err(malformed(&certificate_path, said.to_owned()));
            }
            (true, true) => {}
        }
        Self::of(folder, Authority::open(&certificate_path, &key_path)?)
    }

    /// The authority that a folder has, or is about to have.
    pub(super) fn of(folder: &Path, authority: Authority) -> Result<Self, PkiError> {
        let trust_domain = trust_domain_of(&authority.certificate)
            .map_err(|reason| malformed(&folder.join(CA_PEM), reason.to_owned()))?;
        Ok(Self { folder: folder.to_owned(), trust_domain, authority })
    }

    /// Refuses where the folder has another authority by now than the one that was opened.
    pub(super) fn is_still_there(&self, locked: &Locked) -> Result<(), PkiError> {
        if Self::open_locked(&self.folder, locked)?.certificate() == self.certificate() {
            return Ok(());
        }
        let said = format!(
            "the authority in {} was changed meanwhile: look at it with `pointbridge pki inspect`, and ask again",
            self.folder.display()
        );
        Err(PkiError::RequestRefused(said))
    }

    /// Writes what the hub reads beside the authority, as far as it is missing. Answers whether something was.
    ///
    /// # Errors
    /// A file cannot be written, or one that is there is damaged.
    pub fn complete(&self, crl_days: u32) -> Result<bool, PkiError> {
        let locked = folder::lock(&self.folder)?;
        let is_missing = |name: &str| !self.folder.join(name).exists();
        let (ca_is_missing, crl_is_missing) = (is_missing(CLIENT_CA_PEM), is_missing(CRL_PEM));
        if crl_is_missing {
            self.publish(&locked, &trusted::authorities(&self.folder)?, Some(crl_days))?;
        }
        if ca_is_missing {
            trusted::write_authorities(&self.folder, std::slice::from_ref(&self.authority.certificate))?;
        }
        Ok(ca_is_missing || crl_is_missing)
    }

    /// The trust domain of every principal that this authority signs for.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The folder of the authority, to which it also writes what it issues.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.authority.certificate
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.authority.issuer
    }

    /// The authorities that this one took the place of, and that still sign revocation lists.
    pub(super) fn retired(&self) -> Result<Vec<Authority>, PkiError> {
        let folder = self.folder.join(RETIRED);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut retired = Vec::new();
        for path in folder::pem_files(&folder)? {
            let key = path.with_extension("key");
            if !key.exists() {
                continue;
            }
            let authority = Authority::open(&path, &key)?;
            if authority.certificate != self.authority.certificate {
                retired.push(authority);
            }
        }
        Ok(retired)
    }

    /// The certificates of every authority of the folder, the one that signs first.
    pub(super) fn own_certificates(&self) -> Result<Vec<Certificate>, PkiError> {
        let retired = self.retired()?;
        let own = self.authority.certificate.clone();
        Ok(std::iter::once(own).chain(retired.into_iter().map(|one| one.certificate)).collect())
    }

    pub(super) fn journal(&self) -> Result<Journal, PkiError> {
        Journal::read(&self.folder)
    }

    /// Whether the new certificate of a change belongs to the new key that is in place already; then it follows.
    fn finish_change(folder: &Path) -> Result<bool, PkiError> {
        let staged = Staged::left_beside(&folder.join(CA_PEM));
        if Authority::open(staged.beside(), &folder.join(CA_KEY)).is_err() {
            return Ok(false);
        }
        staged.settle()?;
        Ok(true)
    }

    /// Refuses to sign what would outlive the authority.
    pub(super) fn outlives(&self, until: Moment) -> Result<(), PkiError> {
        let ends = self.authority.certificate.not_after;
        if until > ends {
            let path = self.folder.join(CA_PEM);
            return Err(PkiError::CaEndsFirst { path, ends: ends.to_string() });
        }
        Ok(())
    }
}

impl Authority {
    pub(super) fn open(certificate_path: &Path, key_path: &Path) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(&secret_file::read(key_path)?)
            .map_err(|_| malformed(key_path, "it holds no usable private key".to_owned()))?;
        let certificates = certificates_in(certificate_path, &folder::read(certificate_path)?)
            .map_err(|error| malformed(certificate_path, error.to_string()))?;
        let [certificate] = <[Certificate; 1]>::try_from(certificates)
            .map_err(|_| malformed(certificate_path, "it holds more than one certificate".to_owned()))?;
        if !certificate.has_public_key(key.der_bytes()) {
            return Err(malformed(certificate_path, "ca.key is not its key".to_owned()));
        }
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(certificate.der.as_slice()), key)
            .map_err(|error| malformed(certificate_path, error.to_string()))?;
        Ok(Self { certificate, issuer })
    }
}

/// A new authority that is written and not yet in its place.
pub(super) struct New {
    key: Staged,
    certificate: Staged,
}

impl New {
    pub(super) fn stage(folder: &Path, trust_domain: &TrustDomain) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let certificate = ca_params(trust_domain)?.self_signed(&key)?;
        Ok(Self {
            key: folder::stage_secret(&folder.join(CA_KEY), &Zeroizing::new(key.serialize_pem()))?,
            certificate: folder::stage_public(&folder.join(CA_PEM), &certificate.pem())?,
        })
    }

    /// The authority that it will be.
    pub(super) fn open(&self) -> Result<Authority, PkiError> {
        Authority::open(self.certificate.beside(), self.key.beside())
    }

    /// The key first: a certificate that is left beside its place can then be told to be the key's.
    pub(super) fn settle(self) -> Result<(), PkiError> {
        self.key.settle()?;
        self.certificate.settle()
    }
}

/// Parameters with a fresh random serial number that are valid for a number of days from (almost) now.
pub(super) fn params_valid_for(now: Moment, days: u32) -> Result<CertificateParams, PkiError> {
    let at = |moment: Moment| -> Duration { moment.since_epoch() };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + at(now.minus_seconds(BACKDATED_SECONDS));
    params.not_after = epoch + at(now.plus_days(days));
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn malformed(path: &Path, reason: String) -> PkiError {
    PkiError::CaMalformed { path: path.to_owned(), reason }
}

fn ca_params(trust_domain: &TrustDomain) -> Result<CertificateParams, PkiError> {
    let mut params = params_valid_for(Moment::now()?, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // The name has a random part: where two authorities overlap, a verifier finds the right one by name.
    let suffix = data_encoding::HEXLOWER.encode(&random_bytes::<4>()?);
    params.distinguished_name.push(DnType::CommonName, format!("Pointbridge development CA {suffix}"));
    let uri = format!("spiffe://{trust_domain}");
    params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
    Ok(params)
}

/// Reads the trust domain from an authority's certificate.
pub(super) fn trust_domain_of(certificate: &Certificate) -> Result<TrustDomain, &'static str> {
    match certificate.uris.as_slice() {
        [uri] => uri
            .strip_prefix("spiffe://")
            .and_then(|text| TrustDomain::parse(text).ok())
            .ok_or("its URI is no trust domain"),
        [] => Err("it names no trust domain"),
        _ => Err("it does not carry exactly one URI"),
    }
}

/// 16 random bytes that read as a positive number, as a serial number must be.
fn random_serial() -> Result<[u8; 16], PkiError> {
    let [first, rest @ ..] = random_bytes::<16>()?;
    let mut serial = [0; 16];
    let (head, tail) = serial.split_at_mut(1);
    // The top bit clear keeps it positive, the next one set keeps its length.
    head.fill((first & 0x7f) | 0x40);
    tail.copy_from_slice(&rest);
    Ok(serial)
}

fn random_bytes<const N: usize>() -> Result<[u8; N], PkiError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| PkiError::Cryptography("the system gives no randomness".to_owned()))?;
    Ok(bytes)
}
