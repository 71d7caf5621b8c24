//! Accruals, adjustments and balances.

use pointbridge_client::{Client, v1};

use super::Asking;
use crate::demo::answer::{Answer, Stop, present};
use crate::demo::book::{Book, Kind};

/// Why points are given and corrected.
const ACCRUAL_REASON: &str = "PURCHASE";
const ADJUSTMENT_REASON: &str = "CORRECTION";

pub(super) async fn accrue(
    asking: Asking<'_>,
    membership: &str,
    points: &str,
    reference: &str,
) -> Result<Answer, Stop> {
    let request = v1::AccruePointsRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        membership_id: asking.book.find(Kind::Membership, membership)?,
        amount: points.to_owned(),
        reason_code: ACCRUAL_REASON.to_owned(),
        reference: reference.to_owned(),
        expiry: None,
    };
    let response = asking.client.ledger().accrue_points(request).await?.into_inner();
    let balance = present(response.balance.as_ref(), "balance")?;
    Ok(told(Answer::of(&response), asking.book, balance))
}

pub(super) async fn adjust(
    asking: Asking<'_>,
    membership: &str,
    points: &str,
    reference: &str,
) -> Result<Answer, Stop> {
    let request = v1::AdjustPointsRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        membership_id: asking.book.find(Kind::Membership, membership)?,
        amount: points.to_owned(),
        reason_code: ADJUSTMENT_REASON.to_owned(),
        reference: reference.to_owned(),
    };
    let response = asking.client.ledger().adjust_points(request).await?.into_inner();
    let balance = present(response.balance.as_ref(), "balance")?;
    Ok(told(Answer::of(&response), asking.book, balance))
}

pub(super) async fn balance(asking: Asking<'_>, membership: &str) -> Result<Answer, Stop> {
    let balance = read_balance(asking.client, asking.book, membership).await?;
    Ok(told(Answer::of(&balance), asking.book, &balance))
}

/// Reads the balance of a membership.
///
/// # Errors
/// The hub refused, or the membership is not registered yet.
pub(in crate::demo) async fn read_balance(
    client: &Client,
    book: &Book,
    membership: &str,
) -> Result<v1::Balance, Stop> {
    let request = v1::GetBalanceRequest { membership_id: book.find(Kind::Membership, membership)? };
    let response = client.ledger().get_balance(request).await?.into_inner();
    Ok(present(response.balance, "balance")?)
}

fn told(answer: Answer, book: &Book, balance: &v1::Balance) -> Answer {
    let program = book.program_code(&balance.program_id);
    answer
        .fact("posted", &balance.posted)
        .fact("held", &balance.held)
        .fact("available", &balance.available)
        .phrase(format!(
            "{} {program}, {} held, {} available",
            balance.posted, balance.held, balance.available
        ))
}
