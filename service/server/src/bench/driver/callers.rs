//! Callers: so many on each connection, each of which prepares an exchange, commits it, and takes the next.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, anyhow};
use pointbridge_client::v1::exchange_service_client::ExchangeServiceClient;
use pointbridge_client::{Refusal, request_id, v1};
use prost::Message;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::bench::times::{Timing, micros};

/// A connection to a server, and as which of the partners.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) party: usize,
    pub(super) client: ExchangeServiceClient<Channel>,
}

/// An exchange to make: everything of it that can be made ahead.
struct Item {
    prepare: v1::PrepareExchangeRequest,
    commit_request_id: String,
}

/// Exchanges to make, for whoever is free.
pub(super) struct Items(Mutex<Vec<Item>>);

impl Items {
    /// An exchange for each quote.
    pub(super) fn of(tokens: Vec<String>) -> Self {
        let item = |token| Item {
            prepare: v1::PrepareExchangeRequest {
                request_id: request_id(),
                validate_only: false,
                terms: Some(v1::prepare_exchange_request::Terms::QuoteToken(token)),
                references: Some(v1::References {
                    order: format!("order-{}", request_id()),
                    store: Some("store-12".to_owned()),
                    till: Some("till-3".to_owned()),
                }),
            },
            commit_request_id: request_id(),
        };
        Self(Mutex::new(tokens.into_iter().map(item).collect()))
    }

    /// How long the two requests of an exchange are.
    pub(super) fn sample(&self) -> Option<(usize, usize)> {
        let items = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let item = items.first()?;
        let commit = commit_of(item.commit_request_id.clone(), format!("exc_{}", "0".repeat(32)));
        Some((item.prepare.encoded_len(), commit.encoded_len()))
    }

    fn take(&self) -> Option<Item> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Leaves the others nothing to do.
    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn commit_of(request_id: String, exchange_id: String) -> v1::CommitExchangeRequest {
    v1::CommitExchangeRequest { request_id, validate_only: false, exchange_id }
}

/// The bytes of two answers.
pub(super) struct Answers {
    pub(super) prepare: Vec<u8>,
    pub(super) commit: Vec<u8>,
}

/// What calling came to.
pub(super) struct Outcome {
    pub(super) timings: Vec<Timing>,
    pub(super) micros: u64,
    pub(super) answers: Option<Answers>,
}

/// Makes all exchanges, `in_flight` at a time on each connection.
///
/// # Errors
/// A call that was not answered with success, with what the server said; the others then end.
pub(super) async fn call(
    connections: &[Connection],
    items: Vec<Items>,
    in_flight: usize,
) -> anyhow::Result<Outcome> {
    let items = Arc::new(items);
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for connection in connections {
        for _ in 0..in_flight {
            callers.spawn(work(connection.clone(), Arc::clone(&items)));
        }
    }
    let mut outcome = Outcome { timings: Vec::new(), micros: 0, answers: None };
    let mut failed = None;
    while let Some(ended) = callers.join_next().await {
        match ended? {
            Ok((timings, answers)) => {
                outcome.timings.extend(timings);
                outcome.answers = answers.or(outcome.answers);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    outcome.micros = micros(began.elapsed());
    failed.map_or(Ok(outcome), Err)
}

type Done = (Vec<Timing>, Option<Answers>);

async fn work(connection: Connection, items: Arc<Vec<Items>>) -> anyhow::Result<Done> {
    let mut timings = Vec::new();
    let mut last = None;
    let Connection { party, mut client } = connection;
    let own = items.get(party).context("no such partner")?;
    while let Some(Item { prepare, commit_request_id }) = own.take() {
        let began = Instant::now();
        let prepared = client.prepare_exchange(prepare).await;
        let prepare_micros = micros(began.elapsed());
        let prepared = prepared.map_err(|status| failed(&items, "PrepareExchange", &status))?.into_inner();
        let id = prepared.exchange.as_ref().context("an answer without an exchange")?.exchange_id.clone();
        let began = Instant::now();
        let committed = client.commit_exchange(commit_of(commit_request_id, id)).await;
        timings.push(Timing { prepare: prepare_micros, commit: micros(began.elapsed()) });
        let committed = committed.map_err(|status| failed(&items, "CommitExchange", &status))?.into_inner();
        last = Some((prepared, committed));
    }
    let answers = last.map(|(prepare, commit)| Answers {
        prepare: prepare.encode_to_vec(),
        commit: commit.encode_to_vec(),
    });
    Ok((timings, answers))
}

fn failed(items: &[Items], method: &str, status: &tonic::Status) -> anyhow::Error {
    items.iter().for_each(Items::clear);
    anyhow!("{method}: {}", Refusal::from(status))
}
