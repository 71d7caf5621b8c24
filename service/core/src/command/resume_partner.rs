//! ResumePartner: a suspended partner may start again, once a second person of the operator agreed.

use serde::{Deserialize, Serialize};

use super::approvable::{self, Approvable, Carried, Mark};
use super::draft::{Draft, Head, Lines};
use super::{Command, Context, Decision, named};
use crate::approval::Proposal;
use crate::partner::{Partner, PartnerStatus};
use crate::record::{Body, Outcome, RecordKind, StandingBody};
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::{PartnerCode, ReasonCode};
use crate::time::Timestamp;
use crate::world::{FactQuery, Facts, Footprint, Lock, World};

/// Resumes a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumePartner {
    /// Which.
    pub code: PartnerCode,
    /// Why.
    pub reason: ReasonCode,
}

rejections! {
    /// Why a partner is not resumed, in order of precedence.
    pub enum ResumePartnerRejection {
        NotFound { code: PartnerCode } => PartnerNotFound at "code", "there is no partner {code}";
        NotSuspended { code: PartnerCode } => PartnerNotSuspended at "code", "partner {code} is not suspended: nothing is left to do";
    }
}

impl Command for ResumePartner {
    named!("ResumePartner");

    fn footprint(&self, _context: &Context, facts: &Facts, needs: &mut Footprint) {
        Approvable::footprint(self, facts, needs);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        approvable::ask(Proposal::ResumePartner(self.clone()), context, world)
    }
}

impl Approvable for ResumePartner {
    fn resolve(&self, _facts: &mut FactQuery) {}

    fn footprint(&self, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.code, Lock::Update);
    }

    /// The partner: another suspension than the one that is to end, or another name, is something else to agree to.
    fn changed_at(&self, world: &World) -> Result<Timestamp, Rejection> {
        Ok(self.check(world)?.updated_at)
    }

    fn carry_out(&self, draft: &mut Draft<'_>, mark: Mark) -> Result<Carried, Rejection> {
        let partner = self.check(draft.world)?;
        let updated_at = draft.world.now.after(partner.updated_at);
        let partner = Partner { status: PartnerStatus::Active, updated_at, ..partner.clone() };
        draft.changes.partners.insert(partner.code.clone(), partner.clone());
        let outcome = Outcome::Partner(partner.clone());
        let body = StandingBody { partner, reason: self.reason.clone(), approval_id: mark.approval_id };
        let head = Head {
            record_id: mark.record_id,
            kind: RecordKind::PartnerResumed,
            parties: vec![self.code.clone()],
            body: Body::Standing(body),
        };
        Ok(Carried::Done(draft.record(head, Lines::default())?, outcome))
    }
}

impl ResumePartner {
    fn check<'a>(&self, world: &'a World) -> Result<&'a Partner, ResumePartnerRejection> {
        let code = &self.code;
        let found = world.partners.get(code);
        let partner = found.ok_or_else(|| ResumePartnerRejection::NotFound { code: code.clone() })?;
        if partner.status != PartnerStatus::Suspended {
            return Err(ResumePartnerRejection::NotSuspended { code: code.clone() });
        }
        Ok(partner)
    }
}
