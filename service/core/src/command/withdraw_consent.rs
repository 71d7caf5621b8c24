//! WithdrawConsent: the member ends a consent. A suspended partner may still record it.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::ids::ConsentId;
use crate::member::Withdrawal;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::ReasonCode;
use crate::world::{FactQuery, Facts, Footprint, Lock, World};

/// Ends a consent. What is already prepared may finish.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawConsent {
    /// Which.
    pub consent_id: ConsentId,
    /// Why.
    pub reason: ReasonCode,
}

rejections! {
    /// Why a consent is not withdrawn, in order of precedence.
    pub enum WithdrawConsentRejection {
        NotFound { id: ConsentId } => ConsentNotFound at "consent_id", "there is no consent {id} that you may know of";
        Withdrawn => ConsentWithdrawn at "consent_id", "the consent was withdrawn before";
    }
}

impl Command for WithdrawConsent {
    named!("WithdrawConsent");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.consents.insert(self.consent_id);
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.consents_by_id.insert(self.consent_id);
        // Nothing more is read for another's consent than for one that does not exist: the work would tell them apart.
        let fact = facts.consents.get(&self.consent_id);
        if let Some(fact) = fact.filter(|fact| context.caller.may_read(&fact.partner)) {
            needs.membership(fact.key.membership_id, Lock::Share);
            needs.consent(fact.key.clone(), Lock::Update);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let known = world.consents_by_id.get(&self.consent_id);
        let mine = known.filter(|(consent, _)| {
            standing::own_membership(&context.caller, world, consent.membership_id).is_some()
        });
        let Some((consent, end)) = mine else {
            return WithdrawConsentRejection::NotFound { id: self.consent_id }.into();
        };
        if end.is_some() {
            return WithdrawConsentRejection::Withdrawn.into();
        }
        let withdrawal =
            Withdrawal { consent_id: self.consent_id, reason: self.reason.clone(), withdrawn_at: world.now };
        let mut draft = Draft::new(context, world);
        let in_force = world.consents.get(&consent.key()).map(|known| known.consent_id);
        if in_force == Some(self.consent_id) {
            draft.changes.consents_in_force.insert(consent.key(), None);
        }
        draft.changes.withdrawals.push(withdrawal.clone());
        let home = context.caller.partner().cloned();
        let parties = home.into_iter().chain([consent.recipient.clone()]).collect();
        let body = Body::Withdrawal { consent: consent.clone(), withdrawal };
        draft.done(RecordKind::ConsentWithdrawn, parties, body, Lines::default())
    }
}
