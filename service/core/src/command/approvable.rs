//! What needs two people: how it is asked for, and what carries it out once the second one agreed.
//!
//! Asking decides in full and throws the result away, so that nobody is asked to agree to what could not be done anyway.
//! Approving decides afresh, on the state of that moment.

use std::sync::Arc;

use super::draft::{Draft, Head, Lines, broken};
use super::{Answer, Context, Decision};
use crate::approval::{APPROVAL_TTL_SECONDS, Approval, ApprovalState, Proposal};
use crate::ids::{ApprovalId, RecordId};
use crate::record::{ApprovalBody, Body, Outcome, Record, RecordKind};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::world::{FactQuery, Facts, Footprint, World};

/// How an effect is marked in its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// The id of the effect's record.
    pub(super) record_id: RecordId,
    /// The approval that it needed; absent where it needed none.
    pub(super) approval_id: Option<ApprovalId>,
}

/// What carrying out came to.
#[derive(Debug)]
pub(crate) enum Carried {
    /// Done: the effect's record, and what the approval's own record repeats of it.
    Done(Arc<Record>, Outcome),
    /// More has to be loaded first: keep this, and decide again.
    Later(Box<Decision>),
}

/// Something that is carried out once a second person agreed.
pub(crate) trait Approvable {
    /// Names the facts that carrying it out needs.
    fn resolve(&self, facts: &mut FactQuery);

    /// Names the rows that carrying it out needs.
    fn footprint(&self, facts: &Facts, needs: &mut Footprint);

    /// When what it is about last changed. Where that is another moment than when it was asked for, the approval is dead.
    ///
    /// # Errors
    /// Why it cannot be done at all.
    fn changed_at(&self, world: &World) -> Result<Timestamp, Rejection>;

    /// Carries it out, with a record of its own.
    ///
    /// # Errors
    /// Why it cannot be done.
    fn carry_out(&self, draft: &mut Draft<'_>, mark: Mark) -> Result<Carried, Rejection>;
}

/// Asks for a second person. The operator's right to ask was decided at the gate.
pub(super) fn ask(proposal: Proposal, context: &Context, world: &World) -> Decision {
    match try_out(&proposal, context, world) {
        Ok(Ok(subject_changed_at)) => propose(proposal, subject_changed_at, context, world),
        Ok(Err(later)) => *later,
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// Decides as if the second person had agreed already, and throws it away.
fn try_out(
    proposal: &Proposal,
    context: &Context,
    world: &World,
) -> Result<Result<Timestamp, Box<Decision>>, Rejection> {
    let changed_at = proposal.approvable().changed_at(world)?;
    let mark = Mark { record_id: context.seed.record(), approval_id: None };
    match proposal.approvable().carry_out(&mut Draft::new(context, world), mark)? {
        Carried::Done(..) => Ok(Ok(changed_at)),
        Carried::Later(decision) => Ok(Err(decision)),
    }
}

fn propose(proposal: Proposal, subject_changed_at: Timestamp, context: &Context, world: &World) -> Decision {
    let Ok((_, content_hash)) = proposal.seal() else {
        return Decision::refuse(broken("a proposal without canonical bytes"));
    };
    let approval = Approval {
        approval_id: ApprovalId::new(context.seed.id()),
        proposal,
        content_hash,
        subject_changed_at,
        requested_by: context.caller.principal.clone(),
        requested_at: world.now,
        expires_at: world.now.plus_seconds(APPROVAL_TTL_SECONDS),
        state: ApprovalState::Pending,
        verdict: None,
    };
    let mut draft = Draft::new(context, world);
    let body = ApprovalBody { approval, effect: None };
    match record(&mut draft, RecordKind::ApprovalRequested, body) {
        Ok(record) => Decision { changes: draft.changes, answer: Answer::Done(record) },
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// Stores an approval as it is now, and makes its record. It concerns no partner until it does something.
pub(super) fn record(
    draft: &mut Draft<'_>,
    kind: RecordKind,
    body: ApprovalBody,
) -> Result<Arc<Record>, Rejection> {
    draft.changes.approvals.insert(body.approval.approval_id, body.approval.clone());
    let record_id = draft.context.seed.record();
    let body = Body::Approval(Box::new(body));
    draft.record(Head { record_id, kind, parties: Vec::new(), body }, Lines::default())
}
