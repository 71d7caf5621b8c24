//! GrantConsent: a home program records that a member agreed to share with a named partner.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::canonical::{Hash, hex_hash};
use crate::ids::{ConsentId, MembershipId};
use crate::member::{Consent, ConsentScope, MembershipStatus};
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::{NoticeVersion, PartnerCode, ReasonCode};
use crate::time::Timestamp;
use crate::world::{Facts, Footprint, Lock, World};

/// Records a consent. It takes the place of an earlier one of the same membership, recipient and scope.
#[derive(Debug, Clone, Serialize)]
pub struct GrantConsent {
    /// The membership at whose program it was given.
    pub membership_id: MembershipId,
    /// The partner that it names.
    pub recipient: PartnerCode,
    /// What it allows.
    pub scope: ConsentScope,
    /// What for.
    pub purpose: ReasonCode,
    /// The privacy notice that was shown.
    pub notice_version: NoticeVersion,
    /// SHA-256 of the evidence.
    #[serde(with = "hex_hash")]
    pub evidence_hash: Hash,
    /// When it ends by itself, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

rejections! {
    /// Why a consent is not recorded, in order of precedence (after the caller's standing).
    pub enum GrantConsentRejection {
        NotFound { id: MembershipId } => MembershipNotFound at "membership_id", "there is no membership {id} that you may know of";
        Inactive { id: MembershipId } => MembershipInactive at "membership_id", "membership {id} is not active";
        SamePartner => SamePartner at "recipient_partner_code", "a consent names another partner than yourself";
        NoPartner { code: PartnerCode } => PartnerNotFound at "recipient_partner_code", "there is no partner {code}";
        Over => ValidationFailed at "expire_time", "expire_time must lie in the future";
    }
}

impl Command for GrantConsent {
    named!("GrantConsent");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.recipient, Lock::Share);
        needs.membership(self.membership_id, Lock::Share);
        let key = crate::member::ConsentKey {
            membership_id: self.membership_id,
            recipient: self.recipient.clone(),
            scope: self.scope,
        };
        needs.consent(key, Lock::Update);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        if let Err(refusal) = self.check(context, world) {
            return refusal.into();
        }
        let consent = Consent {
            consent_id: ConsentId::new(context.seed.random_id("consent")),
            membership_id: self.membership_id,
            recipient: self.recipient.clone(),
            scope: self.scope,
            purpose: self.purpose.clone(),
            notice_version: self.notice_version.clone(),
            evidence_hash: self.evidence_hash,
            granted_at: world.now,
            expires_at: self.expires_at,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.consents_in_force.insert(consent.key(), Some(consent.consent_id));
        draft.changes.consents.push(consent.clone());
        let home = context.caller.partner().cloned();
        let parties = home.into_iter().chain([self.recipient.clone()]).collect();
        draft.done(RecordKind::ConsentGranted, parties, Body::Consent(consent), Lines::default())
    }
}

impl GrantConsent {
    fn check(&self, context: &Context, world: &World) -> Result<(), GrantConsentRejection> {
        let membership = standing::own_membership(&context.caller, world, self.membership_id)
            .ok_or(GrantConsentRejection::NotFound { id: self.membership_id })?;
        if membership.status != MembershipStatus::Active {
            return Err(GrantConsentRejection::Inactive { id: self.membership_id });
        }
        if membership.partner == self.recipient {
            return Err(GrantConsentRejection::SamePartner);
        }
        if standing::registered(&self.recipient, world).is_none() {
            return Err(GrantConsentRejection::NoPartner { code: self.recipient.clone() });
        }
        match self.expires_at {
            Some(end) if end <= world.now => Err(GrantConsentRejection::Over),
            _ => Ok(()),
        }
    }
}
