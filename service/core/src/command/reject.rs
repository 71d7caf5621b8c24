//! Reject: somebody says no to what waits for a second person. Whoever asked may take it back so.

use serde::Serialize;

use super::draft::Draft;
use super::{Answer, Command, Context, Decision, approvable, approve, named};
use crate::approval::{Approval, ApprovalState, Verdict};
use crate::canonical::{self, Hash};
use crate::ids::ApprovalId;
use crate::record::{ApprovalBody, RecordKind};
use crate::rejections;
use crate::text::ReasonCode;
use crate::world::{Facts, Footprint, World};

/// Says no to what an approval is about.
#[derive(Debug, Clone, Serialize)]
pub struct Reject {
    /// Which.
    pub approval_id: ApprovalId,
    /// The content that is meant; absent for whatever it is.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hash_or_none")]
    pub content_hash: Option<Hash>,
    /// Why not.
    pub reason: ReasonCode,
}

#[allow(clippy::ref_option)] // the form in which serde calls it
fn hash_or_none<S: serde::Serializer>(hash: &Option<Hash>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hash.map(|hash| canonical::hex(&hash)).unwrap_or_default())
}

rejections! {
    /// Why something is not rejected, in order of precedence.
    pub enum RejectRejection {
        NotFound { id: ApprovalId } => ApprovalNotFound at "approval_id", "there is no approval {id} that you may know of";
        Changed { hash: String } => ApprovalChanged at "content_hash", "the approval is about something else: its content has the hash {hash}";
        NotPending { state: &'static str } => ApprovalNotPending at "approval_id", "the approval is {state}, and that is final";
        Expired => ApprovalExpired at "approval_id", "the approval is over by time: nothing is left to reject";
    }
}

impl Command for Reject {
    named!("Reject");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.approvals.insert(self.approval_id);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let approval = match self.check(context, world) {
            Ok(approval) => approval.clone(),
            Err(refusal) => return refusal.into(),
        };
        let verdict = Verdict {
            by: context.caller.principal.clone(),
            at: world.now,
            reason: Some(self.reason.clone()),
        };
        let approval = Approval { state: ApprovalState::Rejected, verdict: Some(verdict), ..approval };
        let mut draft = Draft::new(context, world);
        let body = ApprovalBody { approval, effect: None };
        match approvable::record(&mut draft, RecordKind::ApprovalRejected, body) {
            Ok(record) => Decision { changes: draft.changes, answer: Answer::Done(record) },
            Err(refusal) => Decision::refuse(refusal),
        }
    }
}

impl Reject {
    fn check<'a>(&self, context: &Context, world: &'a World) -> Result<&'a Approval, RejectRejection> {
        let id = self.approval_id;
        let approval = approve::known(&context.caller, world, id).ok_or(RejectRejection::NotFound { id })?;
        if self.content_hash.is_some_and(|hash| hash != approval.content_hash) {
            return Err(RejectRejection::Changed { hash: canonical::hex(&approval.content_hash) });
        }
        match approval.state_at(world.now) {
            ApprovalState::Pending => Ok(approval),
            ApprovalState::Expired => Err(RejectRejection::Expired),
            state => Err(RejectRejection::NotPending { state: state.as_str() }),
        }
    }
}
