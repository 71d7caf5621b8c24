//! The verdict after a restart: what was acknowledged is there and is answered again to the byte, and what was not answered
//! happens once.
//!
//! Read over the wire only, as a partner would.

use std::collections::BTreeMap;

use pointbridge_client::{Client, Refusal, v1};
use prost::Message;

use crate::alliance::{Alliance, Clients};
use crate::asks;
use crate::diary::{Acknowledged, Call, Diary};
use crate::load::{Unanswered, is_expected};
use crate::raw::{full, send};

/// The largest page of a list, and one that holds what one run of the hub adds to a membership many times over.
const PAGE: u32 = 500;
const NEWEST: u32 = 200;

/// Postings by the call's own reference.
pub(crate) type Books = BTreeMap<String, v1::Posting>;

/// What became of a call that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It had taken effect before it was asked again.
    Had,
    /// Asking again made it take effect.
    HadNot,
    /// It had not, and is refused by now.
    Refused,
}

/// How far back lists are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The newest page of each.
    Newest,
    /// All of it.
    All,
}

/// The accruals and adjustments of all memberships. Each account's are numbered without a gap.
pub(crate) async fn read_books(alliance: &Alliance, clients: &Clients, depth: Depth) -> Books {
    let mut books = Books::new();
    let page_size = if depth == Depth::All { PAGE } else { NEWEST };
    for (partner, membership) in alliance.memberships() {
        let mut page_token = String::new();
        let mut expected = None;
        loop {
            let request =
                v1::ListPostingsRequest { page_size, page_token, ..asks::list_postings(membership) };
            let page = clients[partner].ledger().list_postings(request).await.unwrap().into_inner();
            for posting in page.postings {
                let sequence = posting.account_sequence;
                assert!(expected.is_none_or(|expected| sequence == expected), "{membership}: {posting:?}");
                expected = Some(sequence - 1);
                if posting.exchange_id.is_empty() {
                    let twice = books.insert(posting.reference.clone(), posting);
                    assert_eq!(twice, None, "two postings of one call");
                }
            }
            page_token = page.next_page_token;
            if page_token.is_empty() || depth == Depth::Newest {
                break;
            }
        }
        assert!(depth == Depth::Newest || expected.is_none_or(|next| next == 0), "{membership} begins later");
    }
    books
}

/// Holds that what was acknowledged is there as it was answered, and that asking again answers the same bytes.
pub(crate) async fn assert_kept(one: &Acknowledged, clients: &Clients, books: &Books) {
    let Acknowledged { call, answer } = one;
    let client = &clients[call.partner.as_str()];
    match call.method.as_str() {
        "LedgerService/AccruePoints" => {
            let request = v1::AccruePointsRequest::decode(&*call.request).unwrap();
            let answer = v1::AccruePointsResponse::decode(&**answer).unwrap();
            let told = (answer.record_id, answer.balance.unwrap().posted);
            assert_posted(books, &request.reference, &request.amount, told);
        }
        "LedgerService/AdjustPoints" => {
            let request = v1::AdjustPointsRequest::decode(&*call.request).unwrap();
            let answer = v1::AdjustPointsResponse::decode(&**answer).unwrap();
            let told = (answer.record_id, answer.balance.unwrap().posted);
            assert_posted(books, &request.reference, &request.amount, told);
        }
        "ExchangeService/PrepareExchange" => {
            let told = v1::PrepareExchangeResponse::decode(&**answer).unwrap().exchange.unwrap();
            let found = read_exchange(client, &told.exchange_id).await;
            // A later phase may have followed; what was prepared stays.
            let prepared = v1::Exchange {
                state: told.state,
                decide_time: None,
                abort_reason_code: String::new(),
                window_id: String::new(),
                record_id: told.record_id.clone(),
                ..found
            };
            assert_eq!(prepared, told);
        }
        "ExchangeService/CommitExchange" => {
            let told = v1::CommitExchangeResponse::decode(&**answer).unwrap().exchange.unwrap();
            assert_eq!(read_exchange(client, &told.exchange_id).await, told);
        }
        "ExchangeService/AbortExchange" => {
            let told = v1::AbortExchangeResponse::decode(&**answer).unwrap().exchange.unwrap();
            assert_eq!(read_exchange(client, &told.exchange_id).await, told);
        }
        other => panic!("{other} is not part of the load"),
    }
    assert_repeated(one, clients).await;
}

/// Holds that asking again answers the same bytes.
pub(crate) async fn assert_repeated(one: &Acknowledged, clients: &Clients) {
    let Acknowledged { call, answer } = one;
    let again = send(&clients[call.partner.as_str()], &full(&call.method), call.request.clone()).await;
    let again =
        again.unwrap_or_else(|status| panic!("{} was acknowledged and is refused: {status:?}", call.method));
    assert!(again == *answer, "{} answers other bytes than it did", call.method);
}

fn assert_posted(books: &Books, reference: &str, amount: &str, (record_id, posted): (String, String)) {
    let posting = books.get(reference).unwrap_or_else(|| panic!("{reference} was acknowledged and is lost"));
    let found = (&posting.amount, &posting.record_id, &posting.balance_after);
    assert_eq!(found, (&amount.to_owned(), &record_id, &posted), "{reference}");
}

async fn read_exchange(client: &Client, id: &str) -> v1::Exchange {
    let answer = client.exchanges().get_exchange(asks::get_exchange(id)).await;
    answer
        .unwrap_or_else(|status| panic!("an acknowledged exchange is lost: {status:?}"))
        .into_inner()
        .exchange
        .unwrap()
}

/// Asks again for what was not answered, twice, and holds that it took effect once or, where it is refused, never.
pub(crate) async fn settle(
    one: &Unanswered,
    clients: &Clients,
    diary: &Diary,
) -> (Fate, Option<Acknowledged>) {
    let call = &one.call;
    let client = &clients[call.partner.as_str()];
    let before = effects(call, client).await;
    assert!(before <= 1, "{} took effect {before} times: {call:?}", call.method);
    let first = match send(client, &full(&call.method), call.request.clone()).await {
        Ok(answer) => answer,
        Err(status) => {
            assert!(is_expected(&Refusal::from(&status)), "{}: {status:?}", call.method);
            assert_eq!((before, effects(call, client).await), (0, 0), "refused, and took effect: {call:?}");
            return (Fate::Refused, None);
        }
    };
    diary.note(call, &first);
    let acknowledged = Acknowledged { call: call.clone(), answer: first };
    assert_repeated(&acknowledged, clients).await;
    assert_eq!(effects(call, client).await, 1, "{call:?}");
    (if before == 1 { Fate::Had } else { Fate::HadNot }, Some(acknowledged))
}

/// How many times a call took effect.
async fn effects(call: &Call, client: &Client) -> usize {
    match call.method.as_str() {
        "LedgerService/AccruePoints" => {
            let request = v1::AccruePointsRequest::decode(&*call.request).unwrap();
            postings(client, &request.membership_id, &request.reference).await
        }
        "LedgerService/AdjustPoints" => {
            let request = v1::AdjustPointsRequest::decode(&*call.request).unwrap();
            postings(client, &request.membership_id, &request.reference).await
        }
        "ExchangeService/PrepareExchange" => {
            let request = v1::PrepareExchangeRequest::decode(&*call.request).unwrap();
            let order_reference = Some(request.references.unwrap().order);
            let request = v1::ListExchangesRequest { order_reference, ..Default::default() };
            client.exchanges().list_exchanges(request).await.unwrap().into_inner().exchanges.len()
        }
        "ExchangeService/CommitExchange" => {
            let request = v1::CommitExchangeRequest::decode(&*call.request).unwrap();
            let found = read_exchange(client, &request.exchange_id).await.state();
            usize::from(found == v1::ExchangeState::Committed)
        }
        "ExchangeService/AbortExchange" => {
            let request = v1::AbortExchangeRequest::decode(&*call.request).unwrap();
            let found = read_exchange(client, &request.exchange_id).await.state();
            usize::from(found == v1::ExchangeState::Aborted)
        }
        other => panic!("{other} is not part of the load"),
    }
}

/// How many of the newest postings have this reference: the call was among the last before the hub ended.
async fn postings(client: &Client, membership: &str, reference: &str) -> usize {
    let answer = client.ledger().list_postings(asks::list_postings(membership)).await.unwrap().into_inner();
    answer.postings.iter().filter(|posting| posting.reference == reference).count()
}
