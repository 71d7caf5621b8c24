//! Quotes ahead of the time that is measured: for members in turn, so that no account is hotter than another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, anyhow};
use pointbridge_client::{Refusal, v1};
use tokio::task::JoinSet;

use super::callers::Connection;
use super::shares;
use crate::bench::members::Members;
use crate::bench::times::micros;

/// Tokens of quotes.
pub(super) type Tokens = Vec<String>;

/// How many are asked for at a time on each connection.
const IN_FLIGHT: usize = 16;

/// How many points each exchange takes.
const SOURCE_POINTS: &str = "10";

/// Which member is next: one counter for the whole run, so that members take turns over all orders.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Takes quotes, each partner for its own members, and tells how long it took.
///
/// # Errors
/// A call that was not answered with success.
pub(super) async fn quote(
    connections: &[Connection],
    members: &Arc<Members>,
    count: usize,
) -> anyhow::Result<([Tokens; 2], u64)> {
    let shares = shares(count, connections);
    let left: Arc<[AtomicUsize; 2]> = Arc::new(shares.map(AtomicUsize::new));
    let began = Instant::now();
    let mut askers = JoinSet::new();
    for connection in connections {
        for _ in 0..IN_FLIGHT {
            askers.spawn(ask(connection.clone(), Arc::clone(members), Arc::clone(&left)));
        }
    }
    let mut tokens = [Tokens::new(), Tokens::new()];
    while let Some(asked) = askers.join_next().await {
        let (party, more) = asked??;
        tokens.get_mut(party).context("no such partner")?.extend(more);
    }
    Ok((tokens, micros(began.elapsed())))
}

async fn ask(
    connection: Connection,
    members: Arc<Members>,
    left: Arc<[AtomicUsize; 2]>,
) -> anyhow::Result<(usize, Tokens)> {
    let Connection { party, mut client } = connection;
    let left = left.get(party).context("no such partner")?;
    let mut tokens = Tokens::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let pair = members.in_turn(NEXT.fetch_add(1, Ordering::Relaxed));
        let (source, destination) = if party == 0 { pair } else { (pair.1, pair.0) };
        let request = v1::QuoteExchangeRequest {
            source_membership_id: source.to_owned(),
            destination: Some(v1::quote_exchange_request::Destination::DestinationMembershipId(
                destination.to_owned(),
            )),
            amount: Some(v1::quote_exchange_request::Amount::SourcePoints(SOURCE_POINTS.to_owned())),
            max_legs: 1,
        };
        let answer = client.quote_exchange(request).await;
        let answer = answer.map_err(|status| anyhow!("QuoteExchange: {}", Refusal::from(&status)))?;
        let quote = answer.into_inner().quote.context("an answer without a quote")?;
        tokens.push(quote.quote_token);
    }
    Ok((party, tokens))
}
