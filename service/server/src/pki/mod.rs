//! A small certificate authority for development and for closed installations.
//!
//! It makes what mutual TLS needs and no more: one self-signed authority per folder, client certificates with one
//! SPIFFE id, server certificates with host names, a revocation list. Keys are ECDSA P-256 in files of mode 0600.
//!
//! | file | what it is | who writes it |
//! | --- | --- | --- |
//! | `ca.pem`, `ca.key` | the authority that signs | `ca`, `rotate` |
//! | `<name>.pem`, `<name>.key` | a certificate and its key | `leaf`, `renew` |
//! | `client-ca.pem` | whose client certificates the hub takes | `trusted` |
//! | `crl.pem` | what is revoked, one list for each of them | `revoke`, `trusted` |
//! | `hub-ca.pem` | who signs the hub's certificate, while that changes | `rotate` |
//! | `journal.jsonl` | what was issued and revoked | `journal` |
//! | `retired/` | authorities that were replaced | `rotate` |
//!
//! Absent: intermediate authorities, certificate requests, and any reading of the hub's database: issuing a
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
mod certificate;
mod crl;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod inspect;
mod journal;
mod leaf;
mod moment;
mod renew;
mod revoke;
mod rotate;
mod trusted;
mod verdict;

pub use ca::Ca;
pub use certificate::{Certificate, Usage, plain_hex, read_certificates};
pub use crl::{CRL_DAYS_DEFAULT, Reason, RevocationList, RevokedCertificate};
pub use error::PkiError;
pub(crate) use folder::replace_public;
pub use folder::{CLIENT_CA_PEM, CRL_PEM};
pub use inspect::{Finding, Inspection, KeyFile, Kind};
pub use leaf::{Existing, Issued, LeafRequest, LeafUse};
pub use moment::Moment;
pub use renew::{KeyChoice, Renewal};
pub use revoke::{Known, Revocation, Target};
pub use rotate::{Removed, Rotated, remove};
pub use trusted::{Imported, authorities, import, lists};
pub use verdict::Verdict;
