//! Revocation lists: the file with one per authority, and which authority each is of.
//!
//! A list belongs to the authorities of its issuer's name whose key signed it: to both editions of one that was issued again
//! with its name and key. One that names an authority of the bundle and is not signed by it refuses the file. One that names none of them is kept for authorities between, one of each name: the verifier
//! then asks for their signature. Absent: fetching lists over the network, and delta lists.

use std::collections::BTreeSet;
use std::path::Path;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::authority::{Authority, Validity};
use crate::tls::{CrlFile, TlsError};

/// One list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crl {
    pub(super) der: CertificateRevocationListDer<'static>,
    /// Its authority's name as logs show it.
    pub(super) name: String,
    /// Its authority's name in DER.
    pub(super) issuer: Vec<u8>,
    /// Counted upwards by its authority; big-endian, without leading zeros.
    number: Option<Vec<u8>>,
    pub(super) validity: Validity,
    /// How many certificates it names.
    pub(super) revoked: usize,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Reads the file's lists. A file that need not be there and is not holds none.
pub(super) fn read(file: &CrlFile) -> Result<Vec<Crl>, TlsError> {
    let path = file.path();
    let bytes = match (std::fs::read(path), file) {
        (Ok(bytes), _) => bytes,
        (Err(error), CrlFile::IfThere(_)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Vec::new());
        }
        (Err(source), _) => return Err(TlsError::Unreadable { path: path.to_owned(), source }),
    };
    let blocks = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| TlsError::Malformed { path: path.to_owned(), reason: reason.to_string() })?;
    if blocks.is_empty() {
        return Err(refused(path, "there is no block `X509 CRL` in it"));
    }
    blocks.into_iter().map(|der| Crl::parse(der).map_err(|reason| refused(path, reason))).collect()
}

/// The list of each authority, in their order.
pub(super) fn assign<'a>(
    path: &Path,
    authorities: &[Authority],
    lists: &'a [Crl],
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<Vec<Option<&'a Crl>>, TlsError> {
    let mut own: Vec<Option<&Crl>> = vec![None; authorities.len()];
    let two = |list: &Crl| Err(refused(path, &format!("there are two of {}; keep the newer one", list.name)));
    let mut between = BTreeSet::new();
    for list in lists {
        let mut named =
            authorities.iter().zip(&mut own).filter(|(one, _)| one.subject == list.issuer).peekable();
        if named.peek().is_none() {
            if !between.insert(&list.issuer) {
                return two(list);
            }
            continue;
        }
        let mut is_of_nobody = true;
        for (_, place) in named.filter(|(one, _)| list.is_signed_by(one, algorithms)) {
            is_of_nobody = false;
            if place.replace(list).is_some() {
                return two(list);
            }
        }
        if is_of_nobody {
            return Err(refused(path, &format!("the one of {} is not signed by it", list.name)));
        }
    }
    Ok(own)
}

fn refused(path: &Path, reason: &str) -> TlsError {
    TlsError::CrlRefused { path: path.to_owned(), reason: reason.to_owned() }
}

impl Crl {
    fn parse(der: CertificateRevocationListDer<'static>) -> Result<Self, &'static str> {
        let (rest, list) = CertificateRevocationList::from_der(&der).map_err(|_| "it cannot be read")?;
        if !rest.is_empty() {
            return Err("there are bytes behind it");
        }
        let until = list.next_update().ok_or("it does not say when it is over")?.timestamp();
        Ok(Self {
            name: list.issuer().to_string(),
            issuer: list.issuer().as_raw().to_vec(),
            number: list.crl_number().map(x509_parser::num_bigint::BigUint::to_bytes_be),
            validity: Validity { from: list.last_update().timestamp(), until },
            revoked: list.iter_revoked_certificates().count(),
            signed: list.tbs_cert_list.as_ref().to_vec(),
            signature: list.signature_value.data.to_vec(),
            der,
        })
    }

    /// Whether it was made before another one of the same authority: by number, or by time where one has no number.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        match (&self.number, &other.number) {
            (Some(own), Some(others)) => (own.len(), own) < (others.len(), others),
            _ => self.validity.from < other.validity.from,
        }
    }

    /// Whether the authority's key made its signature.
    pub(super) fn is_signed_by(&self, authority: &Authority, algorithms: &WebPkiSupportedAlgorithms) -> bool {
        // The signature holds under one algorithm or under none; which one, the list itself may not choose.
        algorithms.all.iter().any(|algorithm| {
            algorithm.verify_signature(&authority.key, &self.signed, &self.signature).is_ok()
        })
    }
}
