//! AddCertificate: pins a client certificate of a partner. From its first pin on, only pinned ones are let in.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::canonical::{Hash, hex_hash};
use crate::certificate::{Certificate, CertificateKey, PINS_PER_PARTNER_MAX, Pin};
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::PartnerCode;
use crate::time::Timestamp;
use crate::world::{Facts, Footprint, Lock, World};

/// Pins a certificate, whose contents were read by who parsed it.
#[derive(Debug, Clone, Serialize)]
pub struct AddCertificate {
    /// For whom.
    pub partner: PartnerCode,
    /// SHA-256 of the certificate's DER.
    #[serde(with = "hex_hash")]
    pub fingerprint: Hash,
    /// The partner of the principal that the certificate names; absent where it names somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_partner: Option<PartnerCode>,
    /// That principal, without its trust domain.
    pub principal: String,
    /// The serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The fingerprint of the certificate that the caller calls with. No part of what is asked for.
    #[serde(skip)]
    pub calling_with: Option<Hash>,
}

rejections! {
    /// Why a certificate is not pinned, in order of precedence (after the caller's standing).
    pub enum AddCertificateRejection {
        NoPartner { code: PartnerCode } => PartnerNotFound at "partner_code", "there is no partner {code} that you may know of";
        Another { code: PartnerCode } => CertificateInvalid at "certificate_pem", "the certificate names no principal of partner {code}: its one URI must be a SPIFFE id of that partner";
        NotValidNow { from: Timestamp, to: Timestamp } => CertificateInvalid at "certificate_pem", "the certificate is valid from {from} to {to}, and not now";
        Revoked => CertificateAlreadyRevoked at "certificate_pem", "the certificate was revoked, and that is final: have another one issued";
        Exists => CertificateExists at "certificate_pem", "the certificate is pinned already: nothing is left to do";
        WouldLockOut => WouldLockOut at "certificate_pem", "with the first pin only pinned certificates are let in, and you call with another one: pin that one first, or ask the operator";
        Limit => PinLimit at "partner_code", "the partner has 64 pinned certificates already, which is as many as it may have: revoke one that is over or out of use";
    }
}

impl Command for AddCertificate {
    named!("AddCertificate");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        // To change: two first pins at once must see each other, and the number of pins is bounded.
        needs.partner(&self.partner, Lock::Update);
        needs.certificates.insert(self.key());
        needs.certificates.insert(CertificateKey { owner: None, ..self.key() });
        needs.pins.insert(self.partner.clone());
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        if let Err(refusal) = self.check(context, world) {
            return refusal.into();
        }
        let pin = Pin {
            principal: self.principal.clone(),
            serial: self.serial.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            by: context.caller.principal.clone(),
            at: world.now,
        };
        let certificate = Certificate {
            fingerprint: self.fingerprint,
            owner: Some(self.partner.clone()),
            pin: Some(pin),
            revocation: None,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.certificates.insert(self.key(), certificate.clone());
        let body = Body::Certificate(Box::new(certificate));
        draft.done(RecordKind::CertificatePinned, vec![self.partner.clone()], body, Lines::default())
    }
}

impl AddCertificate {
    fn key(&self) -> CertificateKey {
        CertificateKey { fingerprint: self.fingerprint, owner: Some(self.partner.clone()) }
    }

    fn check(&self, context: &Context, world: &World) -> Result<(), AddCertificateRejection> {
        let code = || self.partner.clone();
        if !world.partners.contains_key(&self.partner) || !context.caller.may_read(&self.partner) {
            return Err(AddCertificateRejection::NoPartner { code: code() });
        }
        if self.named_partner.as_ref() != Some(&self.partner) {
            return Err(AddCertificateRejection::Another { code: code() });
        }
        if world.now < self.not_before || self.not_after <= world.now {
            let (from, to) = (self.not_before, self.not_after);
            return Err(AddCertificateRejection::NotValidNow { from, to });
        }
        let own = world.certificates.get(&self.key());
        let anybodys = world.certificates.get(&CertificateKey { owner: None, ..self.key() });
        if [own, anybodys].into_iter().flatten().any(|known| known.revocation.is_some()) {
            return Err(AddCertificateRejection::Revoked);
        }
        if own.is_some() {
            return Err(AddCertificateRejection::Exists);
        }
        let pins = world.pins.get(&self.partner).copied().unwrap_or_default();
        let is_own_hand = context.caller.partner().is_some();
        if pins == 0 && is_own_hand && self.calling_with != Some(self.fingerprint) {
            return Err(AddCertificateRejection::WouldLockOut);
        }
        if pins >= PINS_PER_PARTNER_MAX {
            return Err(AddCertificateRejection::Limit);
        }
        Ok(())
    }
}
