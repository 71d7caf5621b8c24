//! Exchanges 300 of a member's points into miles, at the hub that `pointbridge demo --keep` leaves running.
//!
//! ```sh
//! pointbridge demo --keep --data demo        # prints the hub's address
//! POINTBRIDGE_ENDPOINT=https://127.0.0.1:<port> POINTBRIDGE_PKI=demo/pki cargo run --example exchange
//! ```

#![allow(clippy::print_stdout, reason = "what an example prints is what it is for")]

use pointbridge_client::v1::{
    AccruePointsRequest, CommitExchangeRequest, Exchange, ExchangeState, ListExchangesRequest,
    PrepareExchangeRequest, QuoteExchangeRequest, References, prepare_exchange_request::Terms,
    quote_exchange_request::Amount, quote_exchange_request::Destination,
};
use pointbridge_client::{Client, Config, Refusal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (endpoint, pki) = (std::env::var("POINTBRIDGE_ENDPOINT")?, std::env::var("POINTBRIDGE_PKI")?);
    let till =
        Client::connect(&Config::in_folder(endpoint, pki, "partner.supermarket.partner.till-7")).await?;
    let (source, destination) = find_member(&till).await?.ok_or("nobody took points to the airline yet")?;
    earn(&till, &source, "300").await?;
    let exchange = exchange(&till, source, destination, "300").await?;
    for leg in &exchange.legs {
        println!(
            "{}: {} points became {} miles",
            exchange.exchange_id, leg.source_points, leg.credited_points
        );
    }
    Ok(())
}

/// A purchase, so that there are points to take.
async fn earn(till: &Client, membership_id: &str, points: &str) -> Result<(), Refusal> {
    let accrual = AccruePointsRequest {
        membership_id: membership_id.to_owned(),
        amount: points.to_owned(),
        reason_code: "PURCHASE".to_owned(),
        reference: "receipt/4711".to_owned(),
        ..Default::default()
    };
    till.ledger().accrue_points(accrual).await?;
    Ok(())
}

async fn exchange(
    till: &Client,
    source: String,
    destination: String,
    points: &str,
) -> Result<Exchange, Refusal> {
    let quote = QuoteExchangeRequest {
        source_membership_id: source,
        destination: Some(Destination::DestinationMembershipId(destination)),
        amount: Some(Amount::SourcePoints(points.to_owned())),
        ..Default::default()
    };
    let quote = till.exchanges().quote_exchange(quote).await?.into_inner().quote.unwrap_or_default();
    let prepare = PrepareExchangeRequest {
        terms: Some(Terms::QuoteToken(quote.quote_token)),
        references: Some(References { order: "receipt/4711".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let held = till.exchanges().prepare_exchange(prepare).await?.into_inner().exchange.unwrap_or_default();
    let commit = CommitExchangeRequest { exchange_id: held.exchange_id, ..Default::default() };
    Ok(till.exchanges().commit_exchange(commit).await?.into_inner().exchange.unwrap_or_default())
}

/// The two memberships of somebody who took points from the supermarket to the airline before.
async fn find_member(till: &Client) -> Result<Option<(String, String)>, Refusal> {
    let committed =
        ListExchangesRequest { state: Some(ExchangeState::Committed.into()), ..Default::default() };
    let mut exchanges = till.items(committed);
    while let Some(exchange) = exchanges.try_next().await? {
        for leg in exchange.legs {
            let (source, destination) = (leg.source.unwrap_or_default(), leg.destination.unwrap_or_default());
            if (source.partner_code.as_str(), destination.partner_code.as_str()) == ("supermarket", "airline")
            {
                return Ok(Some((source.membership_id, destination.membership_id)));
            }
        }
    }
    Ok(None)
}
