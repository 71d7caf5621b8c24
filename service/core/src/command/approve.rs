//! Approve: a second person agrees, and what was asked for is done in the same decision.

use serde::Serialize;

use super::approvable::{self, Carried, Mark};
use super::draft::Draft;
use super::expire::part_id;
use super::{Answer, Command, Context, Decision, named};
use crate::approval::{Approval, ApprovalState, Verdict};
use crate::caller::{Caller, Party};
use crate::canonical::{self, Hash, hex_hash};
use crate::ids::ApprovalId;
use crate::record::{ApprovalBody, ApprovalEffect, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::world::{FactQuery, Facts, Footprint, World};

/// Agrees to what an approval is about.
#[derive(Debug, Clone, Serialize)]
pub struct Approve {
    /// Which.
    pub approval_id: ApprovalId,
    /// The content that is agreed to.
    #[serde(with = "hex_hash")]
    pub content_hash: Hash,
}

rejections! {
    /// Why something is not approved, in order of precedence. What it does may refuse before and after the last.
    pub enum ApproveRejection {
        NotFound { id: ApprovalId } => ApprovalNotFound at "approval_id", "there is no approval {id} that you may know of";
        Changed { hash: String } => ApprovalChanged at "content_hash", "the approval is about something else: its content has the hash {hash}; read it again before you agree";
        NotPending { state: &'static str } => ApprovalNotPending at "approval_id", "the approval is {state}, and that is final: ask for it anew";
        Expired => ApprovalExpired at "approval_id", "nobody agreed within seven days: ask for it anew";
        SamePerson => SamePerson at "approval_id", "you asked for this yourself: another person of your role has to agree";
        Outdated => ApprovalOutdated at "approval_id", "what this is about has changed since it was asked for: ask for it anew";
    }
}

impl Command for Approve {
    named!("Approve");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.approvals.insert(self.approval_id);
    }

    fn footprint(&self, _context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.approvals.insert(self.approval_id);
        if let Some(proposal) = facts.approvals.get(&self.approval_id) {
            proposal.approvable().footprint(facts, needs);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let approval = match self.check(context, world) {
            Ok(approval) => approval,
            Err(refusal) => return refusal.into(),
        };
        // Asked for by a command of this very batch: what it needs was not loaded with it.
        if !world.facts.approvals.contains_key(&self.approval_id) {
            return super::expire::rerun(Draft::new(context, world));
        }
        // The fields of what was asked for are none of this request.
        carry_out(approval, context, world)
            .unwrap_or_else(|refusal| Decision::refuse(refusal.at("approval_id")))
    }
}

impl Approve {
    fn check<'a>(&self, context: &Context, world: &'a World) -> Result<&'a Approval, ApproveRejection> {
        let id = self.approval_id;
        let approval = known(&context.caller, world, id).ok_or(ApproveRejection::NotFound { id })?;
        if approval.content_hash != self.content_hash {
            return Err(ApproveRejection::Changed { hash: canonical::hex(&approval.content_hash) });
        }
        match approval.state_at(world.now) {
            ApprovalState::Pending => {}
            ApprovalState::Expired => return Err(ApproveRejection::Expired),
            state => return Err(ApproveRejection::NotPending { state: state.as_str() }),
        }
        if approval.requested_by == context.caller.principal {
            return Err(ApproveRejection::SamePerson);
        }
        Ok(approval)
    }
}

/// An approval, if the caller may know of it: what waits for the operator's people is the operator's.
pub(super) fn known<'a>(caller: &Caller, world: &'a World, id: ApprovalId) -> Option<&'a Approval> {
    world.approvals.get(&id).filter(|_| caller.party == Party::Operator)
}

fn carry_out(approval: &Approval, context: &Context, world: &World) -> Result<Decision, Rejection> {
    let approvable = approval.proposal.approvable();
    if approvable.changed_at(world)? != approval.subject_changed_at {
        return Err(ApproveRejection::Outdated.into());
    }
    let record_id = part_id(context, "approved", &approval.approval_id.to_string());
    let mark = Mark { record_id, approval_id: Some(approval.approval_id) };
    let mut draft = Draft::new(context, world);
    let outcome = match approvable.carry_out(&mut draft, mark)? {
        Carried::Done(_, outcome) => outcome,
        Carried::Later(decision) => return Ok(*decision),
    };
    let verdict = Verdict { by: context.caller.principal.clone(), at: world.now, reason: None };
    let approval = Approval { state: ApprovalState::Approved, verdict: Some(verdict), ..approval.clone() };
    let body = ApprovalBody { approval, effect: Some(ApprovalEffect { record_id, outcome }) };
    let record = approvable::record(&mut draft, RecordKind::ApprovalApproved, body)?;
    Ok(Decision { changes: draft.changes, answer: Answer::Done(record) })
}
