//! Balances, postings and lots on the wire.

use pointbridge_core::command::{AccruePoints, AdjustPoints};
use pointbridge_core::ledger::Account;
use pointbridge_core::partner::Program;
use pointbridge_core::points::{Amount, Scale};
use pointbridge_core::record::{Body, PointsBody, Record, RecordKind};
use pointbridge_core::rejection::Rejection;
use pointbridge_core::text::{ReasonCode, Reference};
use pointbridge_proto::v1;
use pointbridge_store::{LotView, PostingView};
use tonic::Status;

use super::{amount, id, moment, signed_amount, text, time, unexpected};

pub(crate) fn accrue(request: v1::AccruePointsRequest) -> Result<AccruePoints, Rejection> {
    let v1::AccruePointsRequest { expiry, .. } = request;
    let expires_at =
        expiry.map(|v1::accrue_points_request::Expiry::ExpireTime(end)| moment(end, "expire_time"));
    Ok(AccruePoints {
        membership_id: id(&request.membership_id, "membership_id")?,
        amount: amount(&request.amount, "amount")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
        reference: text(Reference::new(request.reference), "reference")?,
        expires_at: expires_at.transpose()?,
    })
}

pub(crate) fn adjust(request: v1::AdjustPointsRequest) -> Result<AdjustPoints, Rejection> {
    Ok(AdjustPoints {
        membership_id: id(&request.membership_id, "membership_id")?,
        amount: signed_amount(&request.amount, "amount")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
        reference: text(Reference::new(request.reference), "reference")?,
    })
}

/// The balance that a record of points left.
pub(crate) fn balance_of_record(record: &Record) -> Result<v1::Balance, Status> {
    let Body::Points(body) = &record.body else { return Err(unexpected(record)) };
    Ok(balance_of_body(body))
}

/// What an adjustment is answered with: the balance, or what waits for a second person.
pub(crate) fn adjusted(record: &Record, validate_only: bool) -> Result<v1::AdjustPointsResponse, Status> {
    if matches!(record.body, Body::Approval(_)) {
        let approval = Some(super::approval::of_record(record)?);
        return Ok(v1::AdjustPointsResponse { approval, ..v1::AdjustPointsResponse::default() });
    }
    Ok(v1::AdjustPointsResponse {
        balance: Some(balance_of_record(record)?),
        record_id: record_id(record, validate_only),
        approval: None,
    })
}

/// The balance that a change of points left.
pub(crate) fn balance_of_body(body: &PointsBody) -> v1::Balance {
    let available = body.posted.minor().saturating_sub(body.held.minor());
    v1::Balance {
        membership_id: body.membership_id.to_string(),
        program_id: body.program_id.to_string(),
        posted: body.posted.to_string(),
        held: body.held.to_string(),
        available: Amount::new(available, body.posted.scale()).to_string(),
        posting_count: body.postings,
    }
}

/// The id of a record that was written; none where the request was only decided.
pub(crate) fn record_id(record: &Record, validate_only: bool) -> String {
    if validate_only { String::new() } else { record.record_id.to_string() }
}

pub(crate) fn balance(account: &Account, program: &Program) -> v1::Balance {
    let amount = |minor| Amount::new(minor, program.scale).to_string();
    v1::Balance {
        membership_id: account.membership_id.to_string(),
        program_id: program.program_id.to_string(),
        posted: amount(account.posted),
        held: amount(account.held),
        available: amount(account.available()),
        posting_count: account.postings,
    }
}

pub(crate) fn posting(view: &PostingView) -> v1::Posting {
    let kind = match view.kind {
        RecordKind::PointsAccrued => v1::PostingKind::Accrual,
        RecordKind::PointsAdjusted => v1::PostingKind::Adjustment,
        RecordKind::PointsExpired => v1::PostingKind::Expiry,
        RecordKind::ExchangeCommitted if view.posting.amount.minor() < 0 => v1::PostingKind::ExchangeOut,
        RecordKind::ExchangeCommitted => v1::PostingKind::ExchangeIn,
        RecordKind::ExchangeReversed if view.posting.amount.minor() < 0 => v1::PostingKind::ReversalOut,
        RecordKind::ExchangeReversed => v1::PostingKind::ReversalIn,
        _ => v1::PostingKind::Unspecified,
    };
    let member = view.posting.member.as_ref();
    v1::Posting {
        record_id: view.record_id.to_string(),
        account_sequence: member.map(|member| member.sequence).unwrap_or_default(),
        amount: view.posting.amount.to_string(),
        balance_after: member.map(|member| member.balance_after.to_string()).unwrap_or_default(),
        kind: kind.into(),
        reason_code: view.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        reference: view.reference.as_ref().map(ToString::to_string).unwrap_or_default(),
        exchange_id: view.exchange_id.map(|id| id.to_string()).unwrap_or_default(),
        post_time: time(view.decided_at),
    }
}

pub(crate) fn lot(view: &LotView, scale: Scale) -> v1::Lot {
    v1::Lot {
        origin_month: view.key.origin.to_string(),
        expire_time: view.key.expiry.at().and_then(time),
        exchangeable: view.key.exchangeable,
        remaining: Amount::new(view.lot.remaining, scale).to_string(),
        held: Amount::new(view.lot.held, scale).to_string(),
    }
}
