//! The authority itself: `ca.pem` and `ca.key` in a folder.
//!
//! The trust domain stands in the authority's certificate, as its only URI, so that the folder needs no third file
//! that could disagree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber,
};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;

use super::PkiError;
use crate::peer::TrustDomain;
use crate::secret_file;

/// The authority's certificate in its folder.
pub(super) const CA_PEM: &str = "ca.pem";
/// The authority's key in its folder.
const CA_KEY: &str = "ca.key";

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;
/// Ten years, leap days counted.
const CA_DAYS: u64 = 3_653;
/// Certificates begin a little in the past, for clocks that run behind.
const BACKDATED: Duration = Duration::from_mins(5);

/// An authority that can sign.
pub struct Ca {
    folder: PathBuf,
    trust_domain: TrustDomain,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ca").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Ca {
    /// Makes an authority in a folder, for ten years: `ca.pem`, and `ca.key` with mode 0600.
    ///
    /// # Errors
    /// The folder has an authority already (its files are never overwritten), or cannot be written.
    pub fn init(folder: &Path, trust_domain: &TrustDomain) -> Result<Self, PkiError> {
        let certificate_path = folder.join(CA_PEM);
        let key_path = folder.join(CA_KEY);
        for path in [&certificate_path, &key_path] {
            if path.exists() {
                return Err(PkiError::CaExists { path: path.clone() });
            }
        }
        secret_file::create_folder(folder)?;
        let params = ca_params(trust_domain)?;
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        secret_file::create(&key_path, &zeroize::Zeroizing::new(key.serialize_pem()))?;
        write_certificate(&certificate_path, &certificate.pem())?;
        let issuer = Issuer::new(params, key);
        let list = empty_list()?.signed_by(&issuer)?;
        write_certificate(&folder.join("crl.pem"), &list.pem()?)?;
        Ok(Self { folder: folder.to_owned(), trust_domain: trust_domain.clone(), issuer })
    }

    /// Opens the authority of a folder.
    ///
    /// # Errors
    /// There is none, its key is open to others, or its files are damaged or not of one pair.
    pub fn open(folder: &Path) -> Result<Self, PkiError> {
        let certificate_path = folder.join(CA_PEM);
        let key_path = folder.join(CA_KEY);
        if !certificate_path.exists() || !key_path.exists() {
            return Err(PkiError::CaMissing { path: folder.to_owned() });
        }
        let malformed = |path: &Path, reason: String| PkiError::CaMalformed { path: path.to_owned(), reason };
        let key = KeyPair::from_pem(&secret_file::read(&key_path)?)
            .map_err(|_| malformed(&key_path, "it holds no usable private key".to_owned()))?;
        let pem = fs::read_to_string(&certificate_path)
            .map_err(|error| malformed(&certificate_path, error.to_string()))?;
        let trust_domain =
            trust_domain_of(&pem, &key).map_err(|reason| malformed(&certificate_path, reason.to_owned()))?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key)
            .map_err(|error| malformed(&certificate_path, error.to_string()))?;
        Ok(Self { folder: folder.to_owned(), trust_domain, issuer })
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

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// Parameters with a fresh random serial number that are valid for a number of days from (almost) now.
pub(super) fn params_valid_for(days: u64) -> Result<CertificateParams, PkiError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| PkiError::Cryptography("the clock stands before 1970".to_owned()))?;
    // Whole seconds: X.509 has no fractions.
    let now = Duration::from_secs(now.as_secs());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now.saturating_add(Duration::from_secs(days.saturating_mul(SECONDS_PER_DAY)));
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// A revocation list with nobody on it.
fn empty_list() -> Result<rcgen::CertificateRevocationListParams, PkiError> {
    let times = params_valid_for(30)?;
    Ok(rcgen::CertificateRevocationListParams {
        this_update: times.not_before,
        next_update: times.not_after,
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    })
}

/// Writes a certificate where none is.
pub(super) fn write_certificate(path: &Path, pem: &str) -> Result<(), PkiError> {
    let written =
        fs::OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
            io::Write::write_all(&mut file, pem.as_bytes()).and_then(|()| file.sync_all())
        });
    written.map_err(|source| PkiError::Unwritable { path: path.to_owned(), source })
}

fn ca_params(trust_domain: &TrustDomain) -> Result<CertificateParams, PkiError> {
    let mut params = params_valid_for(CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // The name has a random part: where two authorities overlap, a verifier finds the right one by name.
    let suffix = data_encoding::HEXLOWER.encode(&random_bytes::<4>()?);
    params.distinguished_name.push(DnType::CommonName, format!("Pointbridge development CA {suffix}"));
    let uri = format!("spiffe://{trust_domain}");
    params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
    Ok(params)
}

/// Reads the trust domain from an authority's certificate, and checks that the key is the certificate's own.
fn trust_domain_of(pem: &str, key: &KeyPair) -> Result<TrustDomain, &'static str> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| "it is no PEM")?;
    let (_, certificate) = parse_x509_certificate(&block.contents).map_err(|_| "it is no certificate")?;
    if certificate.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
        return Err("ca.key is not its key");
    }
    let names = certificate.subject_alternative_name().ok().flatten().ok_or("it names no trust domain")?;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => uri
            .strip_prefix("spiffe://")
            .and_then(|text| TrustDomain::parse(text).ok())
            .ok_or("its URI is no trust domain"),
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
