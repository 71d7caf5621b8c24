//! Why the authority refuses: each sentence says what is wrong, where, and what to do.
//!
//! Absent: anything of a key's contents; a key is named by its file alone.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::secret_file::SecretFileError;

/// Why an authority, a certificate or a revocation list could not be made, read or changed.
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
    /// The authority's own certificate is over, or would be before what it is asked to sign.
    #[error(
        "the authority in {} ends on {ends}, before what it shall sign does: ask for fewer days, or change the \
         authority with `pointbridge pki rotate-ca`",
        path.display()
    )]
    CaEndsFirst {
        /// The authority's certificate.
        path: PathBuf,
        /// When it ends.
        ends: String,
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
    /// What stands in a file, or in one block of it, cannot be used.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A key file could not be read or written.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
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

impl PkiError {
    /// A file whose contents cannot be used.
    pub(super) fn unusable(path: &std::path::Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.into() }
    }
}

impl From<rcgen::Error> for PkiError {
    fn from(error: rcgen::Error) -> Self {
        Self::Cryptography(error.to_string())
    }
}
