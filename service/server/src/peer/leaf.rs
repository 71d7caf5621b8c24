//! A client certificate that somebody hands in: what it says, read as strictly as that of a caller.
//!
//! Absent on purpose: whether an authority vouches for it. Who calls with it is asked that; who pins it is not, so that a pin
//! may come before a change of authority.

use data_encoding::HEXLOWER;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Principal, PrincipalError, TrustDomain, fingerprint};

/// What a client certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafCertificate {
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// The principal that its one URI names.
    pub principal: Principal,
    /// The serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
}

/// Why what was handed in is no client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LeafError {
    /// Not exactly one certificate in PEM.
    #[error(
        "must be exactly one certificate in PEM: -----BEGIN CERTIFICATE-----, base64, -----END CERTIFICATE-----"
    )]
    NotOne,
    /// An authority's certificate.
    #[error("must be a client's certificate, and this one is an authority's")]
    Authority,
    /// It names nobody.
    #[error("must name a principal of this hub: {0}")]
    Nobody(#[from] PrincipalError),
}

impl LeafCertificate {
    /// Reads the one certificate of a text in PEM.
    ///
    /// # Errors
    /// [`LeafError`], in the order of its variants.
    pub fn from_pem(text: &str, trust_domain: &TrustDomain) -> Result<Self, LeafError> {
        let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
        let (Some(Ok(der)), None) = (found.next(), found.next()) else { return Err(LeafError::NotOne) };
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| LeafError::NotOne)?;
        if certificate.is_ca() {
            return Err(LeafError::Authority);
        }
        Ok(Self {
            fingerprint: fingerprint(&der),
            principal: Principal::from_certificate(&der, trust_domain)?,
            serial: HEXLOWER.encode(certificate.raw_serial()),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}
