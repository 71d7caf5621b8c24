//! The load: writers of several partners, each with its own members, that go on until the hub is gone.
//!
//! A writer keeps what it knows from one run of the hub to the next: the exchanges that it prepared and has not ended, and the
//! call that was not answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use pointbridge_client::{Client, Refusal, v1};
use prost::Message;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::alliance::{Alliance, Clients};
use crate::asks;
use crate::diary::{Acknowledged, Call, Diary};
use crate::dice::Dice;
use crate::raw::{full, send};

/// Prepared exchanges that a writer leaves open at most. The hub takes 100 live holds per membership, and what is left open on
/// the way from points to miles stays so for five minutes.
const OPEN_MAX: usize = 8;
/// Refusals that are the load's own doing: points that are spent, holds that ran out, what was decided already.
const EXPECTED: [&str; 6] = [
    "INSUFFICIENT_POINTS",
    "HOLD_EXPIRED",
    "QUOTE_EXPIRED",
    "RESERVATION_COMMITTED",
    "RESERVATION_ABORTED",
    "RESERVATION_EXPIRED",
];

/// What everybody around the load sees of it.
#[derive(Default)]
pub(crate) struct Board {
    /// Calls sent and not answered.
    pub(crate) in_flight: AtomicUsize,
    /// Calls answered well.
    pub(crate) acknowledged: AtomicUsize,
    /// Calls refused for a reason that was to be expected.
    pub(crate) refused: AtomicUsize,
    /// A call goes out.
    pub(crate) sent: Notify,
    /// Whoever is through with a call makes no other.
    pub(crate) enough: AtomicBool,
}

/// A call that was sent and not answered.
#[derive(Debug, Clone)]
pub(crate) struct Unanswered {
    pub(crate) call: Call,
    pub(crate) sent_at: Instant,
}

/// A writer, between runs of the hub.
pub(crate) struct Writer {
    partner: &'static str,
    /// The membership that it writes to.
    own: String,
    /// The membership at the other partner; none for one that exchanges nothing.
    other: Option<String>,
    dice: Dice,
    number: usize,
    calls: usize,
    open: Vec<String>,
}

/// How a call ended.
enum Ended {
    Answered(Vec<u8>),
    Refused,
    Lost,
}

/// Writers for every membership of the alliance.
pub(crate) fn writers(alliance: &Alliance, seed: u64) -> Vec<Writer> {
    let pairs = alliance.people.iter().flat_map(|[market, airline]| {
        [("market", market, Some(airline)), ("airline", airline, Some(market))]
    });
    let babies = alliance.babies.iter().map(|baby| ("babycare", baby, None));
    let all = pairs.chain(babies).enumerate().map(|(number, (partner, own, other))| Writer {
        partner,
        own: own.clone(),
        other: other.cloned(),
        dice: Dice::new(seed ^ (u64::try_from(number).unwrap() + 1) << 32),
        number,
        calls: 0,
        open: Vec::new(),
    });
    all.collect()
}

/// Sets all writers to work; each gives itself back when the hub does not answer it any more.
pub(crate) fn run(
    writers: Vec<Writer>,
    clients: &Clients,
    board: &Arc<Board>,
    diary: &Arc<Diary>,
) -> JoinSet<(Writer, Option<Unanswered>, Vec<Acknowledged>)> {
    let mut running = JoinSet::new();
    for writer in writers {
        let client = clients[writer.partner].clone();
        running.spawn(writer.work(client, Arc::clone(board), Arc::clone(diary)));
    }
    running
}

/// Whether a refusal is the load's own doing.
pub(crate) fn is_expected(refusal: &Refusal) -> bool {
    EXPECTED.contains(&refusal.reason.as_str())
}

/// Whether the hub did not say what became of the call.
pub(crate) fn is_lost(status: &Status) -> bool {
    let told = Refusal::from(status).reason;
    told.is_empty() || (status.code() == Code::Unavailable && told == "OUTCOME_UNKNOWN")
}

impl Writer {
    async fn work(
        mut self,
        client: Client,
        board: Arc<Board>,
        diary: Arc<Diary>,
    ) -> (Self, Option<Unanswered>, Vec<Acknowledged>) {
        let mut acknowledged = Vec::new();
        while !board.enough.load(Ordering::SeqCst) {
            let Some(call) = self.next(&client).await else { return (self, None, acknowledged) };
            let sent_at = Instant::now();
            match self.make(&client, &call, &board).await {
                Ended::Answered(answer) => {
                    diary.note(&call, &answer);
                    board.acknowledged.fetch_add(1, Ordering::SeqCst);
                    self.learn(&call, &answer);
                    acknowledged.push(Acknowledged { call, answer });
                }
                Ended::Refused => {
                    board.refused.fetch_add(1, Ordering::SeqCst);
                }
                Ended::Lost => return (self, Some(Unanswered { call, sent_at }), acknowledged),
            }
        }
        (self, None, acknowledged)
    }

    async fn make(&self, client: &Client, call: &Call, board: &Board) -> Ended {
        board.in_flight.fetch_add(1, Ordering::SeqCst);
        board.sent.notify_waiters();
        let answer = send(client, &full(&call.method), call.request.clone()).await;
        board.in_flight.fetch_sub(1, Ordering::SeqCst);
        match answer {
            Ok(answer) => Ended::Answered(answer),
            Err(status) if is_lost(&status) => Ended::Lost,
            Err(status) => {
                let refusal = Refusal::from(&status);
                assert!(is_expected(&refusal), "{}: {status:?}", call.method);
                Ended::Refused
            }
        }
    }

    /// The next call; none where the hub is gone before it could be made.
    async fn next(&mut self, client: &Client) -> Option<Call> {
        self.calls += 1;
        let throw = self.dice.below(10);
        let is_full = self.open.len() >= OPEN_MAX;
        if !self.open.is_empty() && (is_full || throw >= 7) {
            let exchange = self.open.remove(0);
            return Some(match self.dice.below(4) {
                0 => self.call("ExchangeService/AbortExchange", &asks::abort(&exchange)),
                _ => self.call("ExchangeService/CommitExchange", &asks::commit(&exchange)),
            });
        }
        match (&self.other, throw) {
            (Some(other), 4..) => {
                let points = (100 + self.dice.below(100)).to_string();
                let request = asks::quote(&self.own, other, &points);
                let quoted = client.exchanges().quote_exchange(request).await;
                let token = match quoted {
                    Ok(answer) => answer.into_inner().quote.unwrap().quote_token,
                    Err(status) => {
                        assert!(is_lost(&status), "{status:?}");
                        return None;
                    }
                };
                Some(self.call("ExchangeService/PrepareExchange", &asks::prepare(&token, &self.reference())))
            }
            (_, 3) => {
                let request =
                    v1::AdjustPointsRequest { reference: self.reference(), ..asks::adjust(&self.own, "-1") };
                Some(self.call("LedgerService/AdjustPoints", &request))
            }
            _ => {
                let points = (500 + self.dice.below(500)).to_string();
                let request = v1::AccruePointsRequest {
                    reference: self.reference(),
                    ..asks::accrue(&self.own, &points)
                };
                Some(self.call("LedgerService/AccruePoints", &request))
            }
        }
    }

    /// A reference that no other call has.
    fn reference(&self) -> String {
        format!("W{}-{}", self.number, self.calls)
    }

    fn call(&self, method: &str, request: &impl Message) -> Call {
        Call { partner: self.partner.to_owned(), method: method.to_owned(), request: request.encode_to_vec() }
    }

    /// Takes note of what an answer made possible.
    pub(crate) fn learn(&mut self, call: &Call, answer: &[u8]) {
        if call.method == "ExchangeService/PrepareExchange" {
            let exchange = v1::PrepareExchangeResponse::decode(answer).unwrap().exchange.unwrap();
            self.open.push(exchange.exchange_id);
        }
    }
}
