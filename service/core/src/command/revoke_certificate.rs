//! RevokeCertificate: a certificate may do nothing any more, whether it was ever pinned or not.
//!
//! A suspended partner may: what it takes away is its own.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::expire::rerun;
use super::{Command, Context, Decision, named};
use crate::canonical::{self, Hash, hex_hash};
use crate::certificate::{Certificate, CertificateKey, Revocation};
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::ReasonCode;
use crate::world::{FactQuery, Facts, Footprint, World};

/// Revokes a certificate.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeCertificate {
    /// SHA-256 of the certificate's DER.
    #[serde(with = "hex_hash")]
    pub fingerprint: Hash,
    /// Why.
    pub reason: ReasonCode,
}

rejections! {
    /// Why a certificate is not revoked, in order of precedence (after the caller's standing).
    pub enum RevokeCertificateRejection {
        Already { fingerprint: String } => CertificateAlreadyRevoked at "fingerprint", "the certificate {fingerprint} was revoked before, and that is final: nothing is left to do";
    }
}

impl Command for RevokeCertificate {
    named!("RevokeCertificate");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.certificates.insert(self.fingerprint);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.certificates.insert(self.key(context, facts));
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let key = self.key(context, &world.facts);
        // Pinned since facts were read, by a neighbour in the batch or by another batch: the next facts say whose it is.
        let is_pinned = |known: &Certificate| known.fingerprint == self.fingerprint && known.pin.is_some();
        if key.owner.is_none() && world.certificates.values().any(is_pinned) {
            return rerun(Draft::new(context, world));
        }
        let known = world.certificates.get(&key);
        if known.is_some_and(|known| known.revocation.is_some()) {
            let fingerprint = canonical::hex(&self.fingerprint);
            return RevokeCertificateRejection::Already { fingerprint }.into();
        }
        let revocation =
            Revocation { by: context.caller.principal.clone(), at: world.now, reason: self.reason.clone() };
        let certificate = Certificate {
            fingerprint: self.fingerprint,
            owner: key.owner.clone(),
            pin: known.and_then(|known| known.pin.clone()),
            revocation: Some(revocation),
        };
        let parties = key.owner.clone().into_iter().collect();
        let mut draft = Draft::new(context, world);
        draft.changes.certificates.insert(key, certificate.clone());
        let body = Body::Certificate(Box::new(certificate));
        draft.done(RecordKind::CertificateRevoked, parties, body, Lines::default())
    }
}

impl RevokeCertificate {
    /// A partner speaks of its own certificates; the operator of whosever it is pinned for, else of whoever shows it.
    fn key(&self, context: &Context, facts: &Facts) -> CertificateKey {
        let fingerprint = self.fingerprint;
        let own = context.caller.partner();
        let owner = own.or_else(|| facts.certificates.get(&fingerprint)).cloned();
        CertificateKey { fingerprint, owner }
    }
}
