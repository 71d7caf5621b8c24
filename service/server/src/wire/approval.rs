//! Approvals on the wire.

use pointbridge_core::approval::{Approval, ApprovalState, Proposal};
use pointbridge_core::canonical::{Hash, hex, parse_hash};
use pointbridge_core::command::{Approve, Reject};
use pointbridge_core::record::{ApprovalBody, Body, Outcome, Record};
use pointbridge_core::rejection::Rejection;
use pointbridge_core::text::ReasonCode;
use pointbridge_core::time::Timestamp;
use pointbridge_proto::v1;
use tonic::Status;

use super::{id, invalid, ledger, partner, text, time, unexpected};

pub(crate) fn approve(request: v1::ApproveRequest) -> Result<Approve, Rejection> {
    Ok(Approve {
        approval_id: id(&request.approval_id, "approval_id")?,
        content_hash: hash(&request.content_hash)?,
    })
}

pub(crate) fn reject(request: v1::RejectRequest) -> Result<Reject, Rejection> {
    Ok(Reject {
        approval_id: id(&request.approval_id, "approval_id")?,
        content_hash: request.content_hash.as_deref().map(hash).transpose()?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

fn hash(text: &str) -> Result<Hash, Rejection> {
    parse_hash(text).ok_or_else(|| invalid("content_hash", "must be 64 lower-case hexadecimal digits"))
}

/// The state that a list is limited to.
pub(crate) fn state(request: &v1::ListApprovalsRequest) -> Result<Option<ApprovalState>, Rejection> {
    if request.state.is_none() {
        return Ok(None);
    }
    match request.state() {
        v1::ApprovalState::Pending => Ok(Some(ApprovalState::Pending)),
        v1::ApprovalState::Approved => Ok(Some(ApprovalState::Approved)),
        v1::ApprovalState::Rejected => Ok(Some(ApprovalState::Rejected)),
        v1::ApprovalState::Expired => Ok(Some(ApprovalState::Expired)),
        v1::ApprovalState::Unspecified => {
            Err(invalid("state", "must not be UNSPECIFIED: leave it out for every state"))
        }
    }
}

fn body(record: &Record) -> Result<&ApprovalBody, Status> {
    match &record.body {
        Body::Approval(body) => Ok(body),
        _ => Err(unexpected(record)),
    }
}

/// The approval as a record left it.
pub(crate) fn of_record(record: &Record) -> Result<v1::Approval, Status> {
    Ok(approval(&body(record)?.approval, record.decided_at))
}

/// What an approval did.
pub(crate) fn approved(record: &Record, validate_only: bool) -> Result<v1::ApproveResponse, Status> {
    let effect = body(record)?.effect.as_ref().ok_or_else(|| unexpected(record))?;
    let outcome = match &effect.outcome {
        Outcome::Partner(resumed) => v1::approve_response::Outcome::Partner(partner::partner(resumed)),
        Outcome::Points(points) => v1::approve_response::Outcome::Balance(ledger::balance_of_body(points)),
    };
    let record_id = if validate_only { String::new() } else { effect.record_id.to_string() };
    Ok(v1::ApproveResponse { approval: Some(of_record(record)?), outcome: Some(outcome), record_id })
}

/// An approval as it stands at a moment.
pub(crate) fn approval(approval: &Approval, now: Timestamp) -> v1::Approval {
    let state = match approval.state_at(now) {
        ApprovalState::Pending => v1::ApprovalState::Pending,
        ApprovalState::Approved => v1::ApprovalState::Approved,
        ApprovalState::Rejected => v1::ApprovalState::Rejected,
        ApprovalState::Expired => v1::ApprovalState::Expired,
    };
    let verdict = approval.verdict.as_ref();
    let reason = verdict.and_then(|verdict| verdict.reason.as_ref());
    v1::Approval {
        approval_id: approval.approval_id.to_string(),
        method: approval.proposal.method().to_owned(),
        content_hash: hex(&approval.content_hash),
        requested_by: approval.requested_by.clone(),
        create_time: time(approval.requested_at),
        expire_time: time(approval.expires_at),
        state: state.into(),
        decided_by: verdict.map(|verdict| verdict.by.clone()).unwrap_or_default(),
        decide_time: verdict.and_then(|verdict| time(verdict.at)),
        reason_code: reason.map(ToString::to_string).unwrap_or_default(),
        content: Some(content(&approval.proposal)),
    }
}

fn content(proposal: &Proposal) -> v1::approval::Content {
    match proposal {
        Proposal::ResumePartner(command) => v1::approval::Content::ResumePartner(v1::PartnerResumption {
            partner_code: command.code.to_string(),
            reason_code: command.reason.to_string(),
        }),
        Proposal::AdjustPoints(command) => v1::approval::Content::AdjustPoints(v1::PointsAdjustment {
            membership_id: command.membership_id.to_string(),
            amount: command.amount.to_string(),
            reason_code: command.reason.to_string(),
            reference: command.reference.to_string(),
        }),
    }
}
