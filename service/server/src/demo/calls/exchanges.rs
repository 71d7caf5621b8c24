//! Quotes and exchanges.

use std::time::Duration;

use anyhow::anyhow;
use pointbridge_client::v1;
use tokio::time::{Instant, sleep};

use super::Asking;
use crate::demo::answer::{Answer, Stop, debt, movement, of_exchange, present, with_leg};
use crate::demo::book::{Book, Kind};
use crate::demo::script::{OwnReferences, Token};

/// How often a hold that is waited for is looked at.
const AWAIT_INTERVAL: Duration = Duration::from_millis(200);
/// A hold ends with its time and is swept within 60 s; the longest hold of the scenario's waits is 10 s.
const AWAIT_MAX: Duration = Duration::from_secs(75);

pub(super) async fn quote(
    asking: Asking<'_>,
    quote: &str,
    (from, to): (&str, &str),
    points: &str,
) -> Result<Answer, Stop> {
    let destination = asking.book.find(Kind::Membership, to)?;
    let request = v1::QuoteExchangeRequest {
        source_membership_id: asking.book.find(Kind::Membership, from)?,
        destination: Some(v1::quote_exchange_request::Destination::DestinationMembershipId(destination)),
        amount: Some(v1::quote_exchange_request::Amount::SourcePoints(points.to_owned())),
        max_legs: 1,
    };
    let response = asking.client.exchanges().quote_exchange(request).await?.into_inner();
    let given = present(response.quote.as_ref(), "quote")?;
    let leg = present(given.legs.first(), "leg")?;
    asking.book.note(Kind::Quote, quote, given.quote_token.clone());
    let mut phrase = movement(leg, |id| asking.book.program_code(id));
    // A fee or residue of zero is no news.
    if leg.fee_points.chars().any(|digit| matches!(digit, '1'..='9')) {
        phrase = format!("{phrase}, after a fee of {}", leg.fee_points);
    }
    if let Some(residue) = leg.residue.filter(|residue| residue.numerator != 0) {
        phrase = format!("{phrase}, rounding left {}/{}", residue.numerator, residue.denominator);
    }
    phrase = format!("{phrase}, held for {} s once prepared", given.hold_seconds);
    Ok(with_leg(Answer::of(&response), leg).fact("hold", given.hold_seconds.to_string()).phrase(phrase))
}

pub(super) async fn prepare(
    asking: Asking<'_>,
    quote: &str,
    token: Token,
    references: OwnReferences,
) -> Result<Answer, Stop> {
    let given = asking.book.find(Kind::Quote, quote)?;
    let sent = match token {
        Token::AsGiven => given,
        Token::Tampered => tampered(&given),
    };
    let request = v1::PrepareExchangeRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        terms: Some(v1::prepare_exchange_request::Terms::QuoteToken(sent)),
        references: Some(v1::References {
            order: references.order.to_owned(),
            store: references.store.map(str::to_owned),
            till: references.till.map(str::to_owned),
        }),
    };
    let response = asking.client.exchanges().prepare_exchange(request).await?.into_inner();
    let exchange = present(response.exchange.as_ref(), "exchange")?;
    asking.book.note(Kind::Exchange, references.order, exchange.exchange_id.clone());
    told(asking.book, &response, exchange)
}

/// The token with one character in the middle replaced by another of the same alphabet.
fn tampered(token: &str) -> String {
    let middle = token.chars().count() / 2;
    let change = |(at, digit): (usize, char)| match (at == middle, digit) {
        (false, kept) => kept,
        (true, 'A') => 'B',
        (true, _) => 'A',
    };
    token.chars().enumerate().map(change).collect()
}

pub(super) async fn commit(asking: Asking<'_>, order: &str) -> Result<Answer, Stop> {
    let request = v1::CommitExchangeRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        exchange_id: asking.book.find(Kind::Exchange, order)?,
    };
    let response = asking.client.exchanges().commit_exchange(request).await?.into_inner();
    told(asking.book, &response, present(response.exchange.as_ref(), "exchange")?)
}

pub(super) async fn abort(asking: Asking<'_>, order: &str, reason: &str) -> Result<Answer, Stop> {
    let request = v1::AbortExchangeRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        exchange_id: asking.book.find(Kind::Exchange, order)?,
        reason_code: reason.to_owned(),
    };
    let response = asking.client.exchanges().abort_exchange(request).await?.into_inner();
    told(asking.book, &response, present(response.exchange.as_ref(), "exchange")?)
}

pub(super) async fn reverse(
    asking: Asking<'_>,
    order: &str,
    points: Option<&str>,
    reference: &str,
) -> Result<Answer, Stop> {
    let request = v1::ReverseExchangeRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        exchange_id: asking.book.find(Kind::Exchange, order)?,
        source_points: points.map(str::to_owned),
        reason_code: "GOODS_RETURNED".to_owned(),
        reference: reference.to_owned(),
    };
    let response = asking.client.exchanges().reverse_exchange(request).await?.into_inner();
    let reversal = present(response.reversal.as_ref(), "reversal")?;
    let leg = present(reversal.legs.first(), "leg")?;
    let owed = leg.obligation.as_ref().map(debt).unwrap_or_default();
    let phrase = format!(
        "part {}: {} come back, {} are taken back\n{owed}",
        reversal.number, leg.source_points, leg.credited_points
    );
    Ok(Answer::of(&response)
        .fact("part", reversal.number.to_string())
        .fact("gives back", &leg.source_points)
        .fact("takes back", &leg.credited_points)
        .fact("in all", &leg.reversed_source_points)
        .fact("debt", owed)
        .phrase(phrase))
}

/// Reads the exchange again and again until it is no longer PREPARED.
pub(super) async fn await_end(asking: Asking<'_>, order: &str) -> Result<Answer, Stop> {
    let request = v1::GetExchangeRequest { exchange_id: asking.book.find(Kind::Exchange, order)? };
    let begun = Instant::now();
    loop {
        let response = asking.client.exchanges().get_exchange(request.clone()).await?.into_inner();
        let exchange = present(response.exchange.as_ref(), "exchange")?;
        if exchange.state() != v1::ExchangeState::Prepared {
            return told(asking.book, &response, exchange);
        }
        if begun.elapsed() > AWAIT_MAX {
            return Err(Stop::Broken(anyhow!(
                "the exchange of {order} is still PREPARED after {} s",
                AWAIT_MAX.as_secs()
            )));
        }
        sleep(AWAIT_INTERVAL).await;
    }
}

fn told(book: &Book, response: &impl prost::Message, exchange: &v1::Exchange) -> Result<Answer, Stop> {
    Ok(of_exchange(response, exchange, |id| book.program_code(id))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tampered_token_differs_in_one_character() {
        for token in ["AAAA", "QUJD-_9z", "x"] {
            let changed = tampered(token);
            let differing = token.chars().zip(changed.chars()).filter(|(one, other)| one != other).count();
            assert_eq!((changed.len(), differing), (token.len(), 1), "{token}");
        }
    }
}
