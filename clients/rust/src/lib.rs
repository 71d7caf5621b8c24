//! Pointbridge: the Rust client.
//!
//! A [`Client`] acts as the partner that its certificate names. It opens one HTTP/2 connection to the hub over mutual
//! TLS 1.3, hands out the API's generated services on it, and does for every call what each caller would otherwise write:
//!
//! - a **deadline** of 10 s for all attempts together ([`Client::with_deadline`], or `tonic::Request::set_timeout` for one
//!   call);
//! - a **request id** where the call has none, kept over all attempts, so that a write has one effect;
//! - **attempts**: a call whose answer was lost, or which the hub refused for a while, is sent again, when the hub
//!   says so or with growing pauses; `clients/retry.json` is the policy of all clients;
//! - a **new connection** when the PEM files have changed, so that renewing a certificate needs no restart;
//! - **refusals** as one type, [`Refusal`], with the stable [`ErrorReason`] by which a program decides;
//! - **lists** as iteration, [`Client::items`].
//!
//! An exchange of points, from the quote to the commit:
//!
//! ```no_run
//! use pointbridge_client::v1::{
//!     CommitExchangeRequest, Exchange, PrepareExchangeRequest, QuoteExchangeRequest, References,
//!     prepare_exchange_request::Terms, quote_exchange_request::Amount, quote_exchange_request::Destination,
//! };
//! use pointbridge_client::{Client, Config, ErrorReason, Refusal};
//!
//! async fn exchange(till: &Client, li_points: String, li_miles: String) -> Result<Exchange, Refusal> {
//!     let quote = QuoteExchangeRequest {
//!         source_membership_id: li_points,
//!         destination: Some(Destination::DestinationMembershipId(li_miles)),
//!         amount: Some(Amount::SourcePoints("300".to_owned())),
//!         ..Default::default()
//!     };
//!     let quote = till.exchanges().quote_exchange(quote).await?.into_inner().quote.unwrap_or_default();
//!     let prepare = PrepareExchangeRequest {
//!         terms: Some(Terms::QuoteToken(quote.quote_token)),
//!         references: Some(References { order: "receipt/4711".to_owned(), ..Default::default() }),
//!         ..Default::default()
//!     };
//!     let held = till.exchanges().prepare_exchange(prepare).await?.into_inner().exchange.unwrap_or_default();
//!     let commit = CommitExchangeRequest { exchange_id: held.exchange_id, ..Default::default() };
//!     Ok(till.exchanges().commit_exchange(commit).await?.into_inner().exchange.unwrap_or_default())
//! }
//!
//! # async fn example(li_points: String, li_miles: String) -> Result<(), Box<dyn std::error::Error>> {
//! let till = Client::connect(&Config::in_folder("https://127.0.0.1:7443", "hub/pki", "market")).await?;
//! match exchange(&till, li_points, li_miles).await {
//!     Ok(exchange) => println!("committed: {}", exchange.exchange_id),
//!     Err(refusal) if refusal.error_reason() == Some(ErrorReason::InsufficientPoints) => println!("too few points"),
//!     Err(refusal) => return Err(refusal.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A program that may itself end in the middle gives each write a [`request_id`] of its own and keeps it on disk first: the
//! same call with the same id, sent after the restart, tells what happened. What is absent: caching, several hubs, and
//! whatever would decide in the caller's place.

mod budget;
mod client;
mod config;
mod connection;
mod connector;
mod items;
mod line;
mod policy;
mod refusal;
mod unary;

pub use client::Client;
pub use config::{Config, ConnectError};
pub use items::{Items, List};
pub use line::Line;
pub use pointbridge_proto::v1;
pub use pointbridge_proto::v1::ErrorReason;
pub use refusal::{Refusal, Violation};

/// A fresh request id: a UUID of the present moment and random bits (version 7), as every mutating request carries one. Ids that
/// follow one another lie beside one another at the hub, which is faster than random ones. Keep it until the call is answered:
/// the same id and body, sent again, is done once and answered alike.
#[must_use]
pub fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_follow_one_another() {
        let (one, two) = (request_id(), request_id());
        assert!(one < two, "{one} {two}");
        let parsed = uuid::Uuid::parse_str(&one).unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_eq!(parsed.hyphenated().to_string(), one);
    }
}
