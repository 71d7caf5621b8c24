//! Quotes and exchanges on the wire.

use pointbridge_core::canonical::{self, Domain, hex};
use pointbridge_core::command::{AbortExchange, CommitExchange, PrepareExchange, ReverseExchange};
use pointbridge_core::exchange::{Leg, References, ReservationState, Residue, Side};
use pointbridge_core::exposure::Obligation;
use pointbridge_core::ids::MembershipId;
use pointbridge_core::partner::Custody;
use pointbridge_core::points::Amount;
use pointbridge_core::quote::{Claims, QuoteRequest, Quoted};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::Rejection;
use pointbridge_core::reversal::{self, REVERSAL_DAYS_DEFAULT, Reversal, ReversedLeg};
use pointbridge_core::text::{ReasonCode, Reference};
use pointbridge_proto::v1;
use pointbridge_store::{ExchangeFilter, ExchangeView, ReversalView};
use tonic::Status;

use super::agreement::owner_on_wire;
use super::{amount, id, invalid, text, time, unexpected};
use crate::keys::KeyRing;

/// The two memberships of a quote, and what is asked.
pub(crate) fn quote(
    request: &v1::QuoteExchangeRequest,
) -> Result<(MembershipId, MembershipId, QuoteRequest), Rejection> {
    let Some(v1::quote_exchange_request::Destination::DestinationMembershipId(destination)) =
        &request.destination
    else {
        return Err(invalid("destination_membership_id", "must be given"));
    };
    let Some(v1::quote_exchange_request::Amount::SourcePoints(points)) = &request.amount else {
        return Err(invalid("source_points", "must be given"));
    };
    let asked = QuoteRequest { source_points: amount(points, "source_points")?, legs_max: request.max_legs };
    let source = id(&request.source_membership_id, "source_membership_id")?;
    Ok((source, id(destination, "destination_membership_id")?, asked))
}

pub(crate) fn quoted(quoted: &Quoted, token: String) -> v1::Quote {
    v1::Quote {
        quote_token: token,
        legs: vec![leg(&quoted.leg)],
        expire_time: time(quoted.expires_at),
        hold_seconds: quoted.hold_seconds,
    }
}

/// A token that this hub cannot open has no claims; whether it was answered before is asked all the same.
pub(crate) fn prepare(
    request: v1::PrepareExchangeRequest,
    keys: &KeyRing,
) -> Result<PrepareExchange, Rejection> {
    let Some(v1::prepare_exchange_request::Terms::QuoteToken(token)) = request.terms else {
        return Err(invalid("quote_token", "must be given"));
    };
    let references = request.references.ok_or_else(|| invalid("references", "must be given"))?;
    let optional =
        |value: Option<String>, field| value.map(|value| text(Reference::new(value), field)).transpose();
    Ok(PrepareExchange {
        token_hash: canonical::hash(Domain::QuoteToken, token.as_bytes()),
        claims: keys.open_quote(&token).ok().and_then(|bytes| Claims::from_bytes(&bytes)),
        references: References {
            order: text(Reference::new(references.order), "references.order")?,
            store: optional(references.store, "references.store")?,
            till: optional(references.till, "references.till")?,
        },
    })
}

pub(crate) fn commit(request: v1::CommitExchangeRequest) -> Result<CommitExchange, Rejection> {
    Ok(CommitExchange { exchange_id: id(&request.exchange_id, "exchange_id")? })
}

pub(crate) fn abort(request: v1::AbortExchangeRequest) -> Result<AbortExchange, Rejection> {
    Ok(AbortExchange {
        exchange_id: id(&request.exchange_id, "exchange_id")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

pub(crate) fn reverse(request: v1::ReverseExchangeRequest) -> Result<ReverseExchange, Rejection> {
    Ok(ReverseExchange {
        exchange_id: id(&request.exchange_id, "exchange_id")?,
        source_points: request.source_points.map(|points| amount(&points, "source_points")).transpose()?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
        reference: text(Reference::new(request.reference), "reference")?,
    })
}

pub(crate) fn filter(request: &v1::ListExchangesRequest) -> Result<ExchangeFilter, Rejection> {
    let order = request.order_reference.clone().map(|order| text(Reference::new(order), "order_reference"));
    Ok(ExchangeFilter {
        state: request.state.map(|_| state(request.state())).transpose()?,
        membership_id: request.membership_id.as_deref().map(|text| id(text, "membership_id")).transpose()?,
        order: order.transpose()?,
    })
}

fn state(state: v1::ExchangeState) -> Result<ReservationState, Rejection> {
    match state {
        v1::ExchangeState::Pending => Ok(ReservationState::Pending),
        v1::ExchangeState::Prepared => Ok(ReservationState::Prepared),
        v1::ExchangeState::Committed => Ok(ReservationState::Committed),
        v1::ExchangeState::Aborted => Ok(ReservationState::Aborted),
        v1::ExchangeState::Expired => Ok(ReservationState::Expired),
        v1::ExchangeState::Unspecified => {
            Err(invalid("state", "must not be UNSPECIFIED: leave it out for every state"))
        }
    }
}

/// An exchange as a phase's record has it: nothing of it was reversed then.
pub(crate) fn of_record(record: &Record) -> Result<v1::Exchange, Status> {
    let exchange = record.exchange().ok_or_else(|| unexpected(record))?.clone();
    let (record_id, window_id) = (record.record_id, record.window_id);
    Ok(of_view(&ExchangeView { exchange, record_id, window_id, reversed_source: 0 }))
}

pub(crate) fn of_view(view: &ExchangeView) -> v1::Exchange {
    let exchange = &view.exchange;
    let reversed = reversal::reversed(exchange, view.reversed_source);
    let (reversed_source, reversed_credited) = reversed.unzip();
    let points = |points: Option<Amount>| points.map(|points| points.to_string()).unwrap_or_default();
    let state = match exchange.state {
        ReservationState::Pending => v1::ExchangeState::Pending,
        ReservationState::Prepared => v1::ExchangeState::Prepared,
        ReservationState::Committed => v1::ExchangeState::Committed,
        ReservationState::Aborted => v1::ExchangeState::Aborted,
        ReservationState::Expired => v1::ExchangeState::Expired,
    };
    let references = &exchange.references;
    v1::Exchange {
        exchange_id: exchange.exchange_id.to_string(),
        reservation_id: exchange.reservation_id.to_string(),
        state: state.into(),
        initiator_partner_code: exchange.initiator.to_string(),
        legs: exchange.legs.iter().map(leg).collect(),
        references: Some(v1::References {
            order: references.order.to_string(),
            store: references.store.as_ref().map(ToString::to_string),
            till: references.till.as_ref().map(ToString::to_string),
        }),
        hold_expire_time: time(exchange.hold_expires_at),
        prepare_time: time(exchange.prepared_at),
        decide_time: exchange.decided_at.and_then(time),
        abort_reason_code: exchange.abort_reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        window_id: view.window_id.map(|id| id.to_string()).unwrap_or_default(),
        record_id: view.record_id.to_string(),
        reversed_source_points: points(reversed_source),
        reversed_credited_points: points(reversed_credited),
    }
}

pub(crate) fn reversal_of_record(record: &Record) -> Result<v1::Reversal, Status> {
    let reversal = record.reversal().ok_or_else(|| unexpected(record))?.clone();
    let (record_id, window_id) = (record.record_id, record.window_id);
    Ok(reversal_of_view(&ReversalView { reversal, record_id, window_id }))
}

pub(crate) fn reversal_of_view(view: &ReversalView) -> v1::Reversal {
    let Reversal { reversal_id, exchange_id, number, reverser, legs, reason, reference, reversed_at } =
        &view.reversal;
    v1::Reversal {
        reversal_id: reversal_id.to_string(),
        exchange_id: exchange_id.to_string(),
        number: *number,
        reverser_partner_code: reverser.to_string(),
        legs: legs.iter().map(reversed_leg).collect(),
        reason_code: reason.to_string(),
        reference: reference.to_string(),
        reverse_time: time(*reversed_at),
        window_id: view.window_id.map(|id| id.to_string()).unwrap_or_default(),
        record_id: view.record_id.to_string(),
    }
}

fn reversed_leg(leg: &ReversedLeg) -> v1::ReversedLeg {
    v1::ReversedLeg {
        number: leg.number,
        agreement_id: leg.agreement_id.to_string(),
        agreement_version: leg.agreement_version,
        source_points: leg.part.source_points.to_string(),
        fee_points: leg.part.fee_points.to_string(),
        credited_points: leg.part.credited_points.to_string(),
        obligation: Some(obligation(&leg.obligation)),
        reversed_source_points: leg.reversed.source_points.to_string(),
        reversed_fee_points: leg.reversed.fee_points.to_string(),
        reversed_credited_points: leg.reversed.credited_points.to_string(),
    }
}

fn obligation(obligation: &Obligation) -> v1::Obligation {
    let money =
        v1::Money { currency_code: obligation.currency.to_string(), amount: obligation.money.to_string() };
    v1::Obligation {
        debtor_partner_code: obligation.debtor.to_string(),
        creditor_partner_code: obligation.creditor.to_string(),
        money: Some(money),
    }
}

fn leg(leg: &Leg) -> v1::Leg {
    v1::Leg {
        number: leg.number,
        agreement_id: leg.agreement_id.to_string(),
        agreement_version: leg.agreement_version,
        terms_hash: hex(&leg.terms_hash),
        source: Some(side(&leg.source)),
        destination: Some(side(&leg.destination)),
        source_points: leg.source_points.to_string(),
        gross_points: leg.gross_points.to_string(),
        fee_points: leg.fee_points.to_string(),
        credited_points: leg.credited_points.to_string(),
        residue: Some(residue(&leg.residue)),
        obligation: Some(obligation(&leg.obligation)),
        reversal_days: leg.reversal_days.unwrap_or(REVERSAL_DAYS_DEFAULT),
    }
}

/// A residue in lowest terms; records keep it over the rate's own denominator.
fn residue(residue: &Residue) -> v1::Residue {
    let (mut divisor, mut rest) = (residue.denominator, residue.numerator.saturating_abs());
    while let Some(next) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, next);
    }
    v1::Residue {
        numerator: residue.numerator.checked_div(divisor).unwrap_or_default(),
        denominator: residue.denominator.checked_div(divisor).unwrap_or(1),
        owner: owner_on_wire(residue.owner).into(),
    }
}

fn side(side: &Side) -> v1::Side {
    let custody = match side.custody {
        Custody::Hosted => v1::side::Custody::Hosted(v1::Hosted {}),
        Custody::PartnerHeld => v1::side::Custody::PartnerHeld(v1::PartnerHeld {}),
    };
    v1::Side {
        program_id: side.program_id.to_string(),
        partner_code: side.partner.to_string(),
        membership_id: side.membership_id.to_string(),
        custody: Some(custody),
    }
}
