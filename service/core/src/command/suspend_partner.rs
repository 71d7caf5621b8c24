//! SuspendPartner: the operator stops a partner from starting anything. One person suffices: it must be quick, and it moves
//! no value.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named};
use crate::partner::{Partner, PartnerStatus};
use crate::record::{Body, RecordKind, StandingBody};
use crate::rejections;
use crate::text::{PartnerCode, ReasonCode};
use crate::world::{Facts, Footprint, Lock, World};

/// Suspends a partner.
#[derive(Debug, Clone, Serialize)]
pub struct SuspendPartner {
    /// Which.
    pub code: PartnerCode,
    /// Why.
    pub reason: ReasonCode,
}

rejections! {
    /// Why a partner is not suspended, in order of precedence.
    pub enum SuspendPartnerRejection {
        NotFound { code: PartnerCode } => PartnerNotFound at "code", "there is no partner {code}";
        NotActive { code: PartnerCode } => PartnerNotActive at "code", "partner {code} is suspended already: nothing is left to do";
    }
}

impl Command for SuspendPartner {
    named!("SuspendPartner");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.code, Lock::Update);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let code = self.code.clone();
        let Some(partner) = world.partners.get(&code) else {
            return SuspendPartnerRejection::NotFound { code }.into();
        };
        if partner.status != PartnerStatus::Active {
            return SuspendPartnerRejection::NotActive { code }.into();
        }
        let updated_at = world.now.after(partner.updated_at);
        let partner = Partner { status: PartnerStatus::Suspended, updated_at, ..partner.clone() };
        let mut draft = Draft::new(context, world);
        draft.changes.partners.insert(code.clone(), partner.clone());
        let body = StandingBody { partner, reason: self.reason.clone(), approval_id: None };
        draft.done(RecordKind::PartnerSuspended, vec![code], Body::Standing(body), Lines::default())
    }
}
