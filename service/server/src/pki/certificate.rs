//! What a certificate says, read once into plain values, and its form as PEM.
//!
//! Absent: any judgement; who may do what with a certificate is decided by the caller.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use aws_lc_rs::digest;
use data_encoding::{BASE64, HEXLOWER};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::moment::Moment;
use super::{PkiError, folder};

/// Base64 characters on a line of PEM.
const PEM_LINE: usize = 64;

/// A certificate's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The bytes themselves.
    pub der: Vec<u8>,
    /// SHA-256 of them, 64 hexadecimal digits.
    pub fingerprint: String,
    /// The serial number in hexadecimal, as short as it can be.
    pub serial: String,
    /// The subject's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// From when on it is valid.
    pub not_before: Moment,
    /// When it ends.
    pub not_after: Moment,
    /// Whether it says of itself that it is an authority's.
    pub is_ca: bool,
    /// Whether its key may sign certificates; without a statement it may.
    pub may_sign_certificates: bool,
    /// Whether its key may sign revocation lists; without a statement it may.
    pub may_sign_crls: bool,
    /// Whether it is for clients, and whether it is for servers.
    pub usage: Usage,
    /// URIs among its names.
    pub uris: Vec<String>,
    /// DNS names and IP addresses among its names.
    pub hosts: Vec<String>,
    /// The kind of its key, such as `ECDSA P-256` or `RSA 2048`.
    pub key: String,
    /// How it is signed, such as `ECDSA with SHA-256`.
    pub signature: String,
}

/// What the extended key usage allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Clients only.
    Client,
    /// Servers only.
    Server,
    /// Both, or without a statement.
    Both,
    /// Neither of them.
    Neither,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// Why it is no certificate, as half a sentence.
    pub fn parse(der: &[u8]) -> Result<Self, &'static str> {
        let (rest, read) = X509Certificate::from_der(der).map_err(|_| "the block is no X.509 certificate")?;
        if !rest.is_empty() {
            return Err("bytes follow the certificate in its block");
        }
        let names = read.subject_alternative_name().map_err(|_| "its names cannot be read")?;
        let names = names.as_ref().map_or(&[][..], |names| names.value.general_names.as_slice());
        let key_usage =
            read.key_usage().map_err(|_| "its key usage cannot be read")?.map(|usage| usage.value);
        let constraints = read.basic_constraints().map_err(|_| "its basic constraints cannot be read")?;
        Ok(Self {
            der: der.to_vec(),
            fingerprint: fingerprint(der),
            serial: serial_text(read.raw_serial()),
            subject: read.subject().to_string(),
            issuer: read.issuer().to_string(),
            not_before: Moment::from_seconds(read.validity().not_before.timestamp()),
            not_after: Moment::from_seconds(read.validity().not_after.timestamp()),
            is_ca: constraints.is_some_and(|constraints| constraints.value.ca),
            may_sign_certificates: key_usage.is_none_or(x509_parser::extensions::KeyUsage::key_cert_sign),
            may_sign_crls: key_usage.is_none_or(x509_parser::extensions::KeyUsage::crl_sign),
            usage: usage(&read)?,
            uris: names.iter().filter_map(uri).collect(),
            hosts: names.iter().filter_map(host).collect(),
            key: key_kind(read.public_key()),
            signature: signature_kind(&read),
        })
    }

    /// Whether that authority's key signed it, and under its name.
    #[must_use]
    pub fn is_signed_by(&self, authority: &Self) -> bool {
        let (Ok((_, own)), Ok((_, signer))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&authority.der))
        else {
            return false;
        };
        own.issuer().as_raw() == signer.subject().as_raw()
            && own.verify_signature(Some(signer.public_key())).is_ok()
    }

    /// Whether it names itself as its issuer.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether a private key with this public half is the certificate's own.
    pub(super) fn has_public_key(&self, public: &[u8]) -> bool {
        X509Certificate::from_der(&self.der)
            .is_ok_and(|(_, read)| read.public_key().subject_public_key.data.as_ref() == public)
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

/// The certificates of a PEM file, in its order.
///
/// # Errors
/// The file cannot be read, is no PEM, or holds no certificate or a damaged one.
pub fn read_certificates(path: &Path) -> Result<Vec<Certificate>, PkiError> {
    certificates_in(path, &folder::read(path)?)
}

/// The certificates of the text of a PEM file.
pub(super) fn certificates_in(path: &Path, text: &[u8]) -> Result<Vec<Certificate>, PkiError> {
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(text) {
        let der =
            der.map_err(|error| PkiError::unusable(path, format!("it is no well-formed PEM ({error})")))?;
        found.push(Certificate::parse(&der).map_err(|reason| PkiError::unusable(path, reason))?);
    }
    if found.is_empty() {
        return Err(PkiError::unusable(path, "it holds no CERTIFICATE block: is it the right file?"));
    }
    Ok(found)
}

/// DER as PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = BASE64.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "-----END {label}-----");
    text
}

/// SHA-256 in hexadecimal.
pub(super) fn fingerprint(der: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, der).as_ref())
}

/// A serial number's bytes in hexadecimal, without the zeros that only keep it positive.
pub(super) fn serial_text(raw: &[u8]) -> String {
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    HEXLOWER.encode(raw.get(zeros..).unwrap_or_default())
}

/// Hexadecimal digits as people copy them: with colons, in capitals.
///
/// # Errors
/// It holds something else, or nothing.
pub fn plain_hex(text: &str) -> Result<String, PkiError> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let digits = digits.to_ascii_lowercase();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let said = format!("{text:?} is not hexadecimal: give digits 0-9 and a-f, with or without colons");
        return Err(PkiError::RequestRefused(said));
    }
    Ok(digits.to_owned())
}

fn usage(read: &X509Certificate<'_>) -> Result<Usage, &'static str> {
    let usage = read.extended_key_usage().map_err(|_| "its extended key usage cannot be read")?;
    Ok(match usage.map(|usage| (usage.value.any, usage.value.client_auth, usage.value.server_auth)) {
        None | Some((true, _, _) | (_, true, true)) => Usage::Both,
        Some((_, true, false)) => Usage::Client,
        Some((_, false, true)) => Usage::Server,
        Some(_) => Usage::Neither,
    })
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    }
}

fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> String {
    let algorithm = &key.algorithm;
    if algorithm.algorithm == oid::OID_SIG_ED25519 {
        return "Ed25519".to_owned();
    }
    let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match (key.parsed(), curve) {
        (Ok(PublicKey::RSA(rsa)), _) => format!("RSA {}", rsa.key_size()),
        (Ok(PublicKey::EC(_)), Some(curve)) if curve == oid::OID_EC_P256 => "ECDSA P-256".to_owned(),
        (Ok(PublicKey::EC(_)), Some(curve)) if curve == oid::OID_NIST_EC_P384 => "ECDSA P-384".to_owned(),
        (Ok(PublicKey::EC(_)), Some(curve)) if curve == oid::OID_NIST_EC_P521 => "ECDSA P-521".to_owned(),
        _ => format!("another kind ({})", algorithm.algorithm),
    }
}

fn signature_kind(read: &X509Certificate<'_>) -> String {
    let algorithm = &read.signature_algorithm.algorithm;
    let known = [
        (oid::OID_SIG_ECDSA_WITH_SHA256, "ECDSA with SHA-256"),
        (oid::OID_SIG_ECDSA_WITH_SHA384, "ECDSA with SHA-384"),
        (oid::OID_SIG_ECDSA_WITH_SHA512, "ECDSA with SHA-512"),
        (oid::OID_SIG_ED25519, "Ed25519"),
        (oid::OID_PKCS1_SHA256WITHRSA, "RSA with SHA-256"),
        (oid::OID_PKCS1_SHA384WITHRSA, "RSA with SHA-384"),
        (oid::OID_PKCS1_SHA512WITHRSA, "RSA with SHA-512"),
        (oid::OID_PKCS1_RSASSAPSS, "RSA-PSS"),
        (oid::OID_PKCS1_SHA1WITHRSA, "RSA with SHA-1"),
    ];
    let name = known.iter().find(|(known, _)| algorithm == known);
    name.map_or_else(|| format!("another way ({algorithm})"), |(_, name)| (*name).to_owned())
}
