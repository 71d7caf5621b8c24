//! Client certificates that are pinned or revoked, by their fingerprints.
//!
//! A partner without pins is let in with every certificate of the trusted authorities that names it. From its first pin on
//! only pinned certificates pass. A pin counts until it is revoked, also when its certificate is over by time: otherwise
//! pinning would end by itself, and quietly. A revoked certificate may do nothing, for ever.
//!
//! Absent on purpose: the certificates themselves, and everything about X.509; who parses them says what they say.

use serde::{Deserialize, Serialize};

use crate::canonical::{Hash, hex_hash};
use crate::text::{PartnerCode, ReasonCode};
use crate::time::Timestamp;

/// How many pins of a partner are in force at once. Every pin that is asked for counts them.
pub const PINS_PER_PARTNER_MAX: i64 = 64;

/// Whose word a row about a certificate is. A partner's word counts for its own certificates only, so that nobody can shut
/// another out by naming its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateKey {
    /// SHA-256 of the certificate's DER.
    pub fingerprint: Hash,
    /// The partner; `None` for the operator's word on a certificate that nobody pinned, which counts for whoever shows it.
    pub owner: Option<PartnerCode>,
}

/// A pin: what the certificate says, and who pinned it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The principal that the certificate names, without its trust domain.
    pub principal: String,
    /// The serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Who pinned it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The end of a certificate. Final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Who revoked it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: ReasonCode,
}

/// What is known of a certificate: a pin, an end, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// SHA-256 of the certificate's DER.
    #[serde(with = "hex_hash")]
    pub fingerprint: Hash,
    /// See [`CertificateKey::owner`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<PartnerCode>,
    /// Its pin; absent for a certificate that was revoked without ever being pinned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pin: Option<Pin>,
    /// Its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revocation: Option<Revocation>,
}

impl Certificate {
    /// The key of its row.
    #[must_use]
    pub fn key(&self) -> CertificateKey {
        CertificateKey { fingerprint: self.fingerprint, owner: self.owner.clone() }
    }

    /// Whether it is pinned and not revoked.
    #[must_use]
    pub const fn is_pin_in_force(&self) -> bool {
        self.pin.is_some() && self.revocation.is_none()
    }
}
