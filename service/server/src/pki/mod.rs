//! A small certificate authority for development and for closed installations.
//!
//! It makes what mutual TLS needs and no more: one self-signed authority per folder, client certificates with one
//! SPIFFE id, server certificates with host names. Keys are ECDSA P-256 in files of mode 0600. Absent: revocation
//! lists, intermediate authorities, certificate requests, and any reading of the hub's database: issuing a
//! certificate registers nobody.
//!
//! ```
//! use pointbridge::peer::{Principal, TrustDomain};
//! use pointbridge::pki::{Ca, LeafRequest};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let trust_domain = TrustDomain::parse("alliance.example")?;
//! let ca = Ca::init(folder, &trust_domain)?;
//! let till = Principal::from_path("partner/airline/partner/till-7", &trust_domain)?;
//! let issued = ca.issue(&LeafRequest::client(till, 30))?;
//! assert!(issued.certificate_pem.ends_with("partner.airline.partner.till-7.pem"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ca;
mod leaf;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::secret_file::SecretFileError;

pub use ca::Ca;
pub use leaf::{Existing, Issued, LeafRequest, LeafUse};

/// Why an authority or a certificate could not be made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// The folder has an authority already.
    #[error(
        "{} exists: the folder has an authority already; use it, or choose another folder", path.display()
    )]
    CaExists {
        /// The file in the way.
        path: PathBuf,
    },
    /// The folder has no authority.
    #[error("there is no authority in {}: make one with `pointbridge pki init`", path.display())]
    CaMissing {
        /// The folder.
        path: PathBuf,
    },
    /// The authority's certificate or key cannot be used.
    #[error("{} is not an authority that `pointbridge pki init` made: {reason}", path.display())]
    CaMalformed {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The principal is of another trust domain than the authority.
    #[error("the authority signs for the trust domain {expected}, not for {found}")]
    TrustDomainForeign {
        /// The authority's trust domain.
        expected: String,
        /// The principal's.
        found: String,
    },
    /// The request breaks a rule.
    #[error("{0}")]
    RequestRefused(String),
    /// A certificate or key of that name is there already.
    #[error("{} exists: choose another name, or ask for it to be replaced", path.display())]
    LeafExists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A key file could not be read or written.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A certificate file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The cryptography failed: no randomness, or a value that it cannot encode.
    #[error("the certificate could not be made: {0}")]
    Cryptography(String),
}

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self::Cryptography(error.to_string())
    }
}
