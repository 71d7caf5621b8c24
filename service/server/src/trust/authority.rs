//! The authorities of client certificates, as the bundle's file holds them.
//!
//! Each is parsed for what decisions need of it: its name and key (whose signature counts), its fingerprint (how people name
//! it) and its time. A certificate that is no authority's refuses the whole file, since a verifier asks that of everybody but
//! of those whom it trusts from the start. Absent: any look at client certificates.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::peer::PeerCertificate;
use crate::tls::{self, Fingerprint, TlsError};

/// From when until when something is good, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Validity {
    /// Of a certificate in DER; `None` where it cannot be read.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Self { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
    }

    /// What to say of it where it does not hold now.
    pub(super) fn amiss(self, now: i64) -> Option<&'static str> {
        match now {
            _ if now < self.from => Some("not valid yet"),
            _ if now > self.until => Some("over"),
            _ => None,
        }
    }
}

/// One authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    /// Its name as logs show it.
    pub(super) name: String,
    /// Its name in DER.
    pub(super) subject: Vec<u8>,
    /// Its public key's bits.
    pub(super) key: Vec<u8>,
    pub(super) fingerprint: Fingerprint,
    /// Whether it names itself as its issuer, so that it stands below no other one.
    pub(super) is_self_issued: bool,
    pub(super) validity: Validity,
}

/// Reads a bundle. An authority that stands there twice counts once.
pub(super) fn read(path: &Path) -> Result<Vec<Authority>, TlsError> {
    let mut found: Vec<Authority> = Vec::new();
    for der in tls::certificates(path)? {
        // One bad authority refuses the file: a bundle that shrinks in silence locks partners out.
        let authority = Authority::parse(der)
            .map_err(|reason| TlsError::AuthorityRefused { path: path.to_owned(), reason })?;
        if !found.contains(&authority) {
            found.push(authority);
        }
    }
    Ok(found)
}

impl Authority {
    fn parse(der: CertificateDer<'static>) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(&der).map_err(|_| "a certificate that cannot be read".to_owned())?;
        if !rest.is_empty() {
            return Err("a certificate with bytes behind it".to_owned());
        }
        let name = certificate.subject().to_string();
        if !certificate.is_ca() {
            return Err(format!("{name} is no authority: its basic constraints do not say so"));
        }
        let validity = certificate.validity();
        Ok(Self {
            name,
            subject: certificate.subject().as_raw().to_vec(),
            key: certificate.public_key().subject_public_key.data.to_vec(),
            fingerprint: PeerCertificate::of(&der).fingerprint,
            is_self_issued: certificate.issuer().as_raw() == certificate.subject().as_raw(),
            validity: Validity {
                from: validity.not_before.timestamp(),
                until: validity.not_after.timestamp(),
            },
            der,
        })
    }
}
