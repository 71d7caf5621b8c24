//! Where everything stands at the end: exchanges, balances and debts as the hub tells them.
//!
//! Debts are summed from the exchanges and reversals that each partner is told of, and both partners of an exchange must be
//! told the same. What is absent: anything that the demo remembers of its own calls but the ids.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use pointbridge_client::{Client, v1};
use rust_decimal::Decimal;

use super::answer::{Stop, debt, present, state_of};
use super::book::{Book, Kind};
use super::calls::read_balance;
use super::script::Actor;
use super::stage::Callers;

/// Exchanges of one page; the most that the hub gives.
const PAGE_SIZE: u32 = 500;

/// Where everything stands.
#[derive(Debug, Default)]
pub(super) struct Closing {
    pub(super) balances: Vec<BalanceLine>,
    /// Oldest first.
    pub(super) exchanges: Vec<ExchangeLine>,
    pub(super) debts: Vec<PairDebt>,
}

/// What one membership has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BalanceLine {
    pub(super) membership_id: String,
    /// The partner's own reference.
    pub(super) member: String,
    pub(super) partner: String,
    pub(super) program: String,
    pub(super) posted: String,
    pub(super) held: String,
    pub(super) available: String,
}

/// How one exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExchangeLine {
    pub(super) order: String,
    pub(super) place: String,
    pub(super) state: String,
    /// Points taken, with their program.
    pub(super) takes: String,
    /// Points credited, with their program.
    pub(super) credits: String,
    /// Source points that reversals gave back; empty for none.
    pub(super) given_back: String,
    /// Who owes whom what; empty unless committed.
    pub(super) debt: String,
}

/// An exchange as a partner is told of it, with what was given back of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) exchange: v1::Exchange,
    pub(super) reversals: Vec<v1::Reversal>,
}

/// What two partners owe each other in one currency by committed exchanges and their reversals. The lower code comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairDebt {
    pub(super) low: String,
    pub(super) high: String,
    pub(super) currency: String,
    /// Committed legs that were summed.
    pub(super) legs: u32,
    pub(super) low_owes: Decimal,
    pub(super) high_owes: Decimal,
}

/// What remains when both debts of a pair are set against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Net<'a> {
    pub(super) debtor: &'a str,
    pub(super) creditor: &'a str,
    pub(super) amount: Decimal,
}

impl PairDebt {
    /// Who owes in the end; the lower code where nobody does.
    pub(super) fn net(&self) -> Net<'_> {
        let (low, high) = (self.low.as_str(), self.high.as_str());
        if self.low_owes >= self.high_owes {
            Net { debtor: low, creditor: high, amount: self.low_owes - self.high_owes }
        } else {
            Net { debtor: high, creditor: low, amount: self.high_owes - self.low_owes }
        }
    }
}

/// Reads where everything stands.
///
/// # Errors
/// The hub refuses, or tells two partners different things.
pub(super) async fn read(callers: &mut Callers<'_>, book: &Book) -> Result<Closing, Stop> {
    let mut balances = Vec::new();
    for (name, owner) in book.memberships() {
        balances.push(balance_line(callers.of(*owner).await?, book, name).await?);
    }
    let exchanges = all_exchanges(callers, book).await?;
    let debts = debts(&exchanges)?;
    let exchanges = exchanges.iter().map(|told| exchange_line(&told.exchange, book));
    Ok(Closing { balances, exchanges: exchanges.collect::<anyhow::Result<_>>()?, debts })
}

async fn balance_line(client: &Client, book: &Book, name: &str) -> Result<BalanceLine, Stop> {
    let balance = read_balance(client, book, name).await?;
    let membership_id = book.find(Kind::Membership, name)?;
    let by_id = v1::get_membership_request::Name::MembershipId(membership_id.clone());
    let request = v1::GetMembershipRequest { name: Some(by_id) };
    let read = client.members().get_membership(request).await?.into_inner();
    let membership = present(read.membership, "membership")?;
    Ok(BalanceLine {
        membership_id,
        member: membership.external_reference,
        partner: membership.partner_code,
        program: book.program_code(&balance.program_id),
        posted: balance.posted,
        held: balance.held,
        available: balance.available,
    })
}

/// Every exchange that any partner is told of, oldest first.
///
/// # Errors
/// The hub refuses, or tells two partners different things of one exchange.
pub(super) async fn all_exchanges(callers: &mut Callers<'_>, book: &Book) -> Result<Vec<Told>, Stop> {
    let mut owners: Vec<Actor> = book.memberships().iter().map(|(_, owner)| *owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut known: BTreeMap<String, Told> = BTreeMap::new();
    for owner in owners {
        let client = callers.of(owner).await?;
        for exchange in exchanges_of(client).await? {
            let reversals = reversals_of(client, &exchange).await?;
            merge(&mut known, Told { exchange, reversals })?;
        }
    }
    let mut all: Vec<Told> = known.into_values().collect();
    all.sort_by_key(|told| told.exchange.prepare_time.map(|time| (time.seconds, time.nanos)));
    Ok(all)
}

/// What was given back of an exchange; asked only where something was.
async fn reversals_of(client: &Client, exchange: &v1::Exchange) -> Result<Vec<v1::Reversal>, Stop> {
    if !is_reversed(exchange) {
        return Ok(Vec::new());
    }
    let request = v1::GetExchangeRequest { exchange_id: exchange.exchange_id.clone() };
    Ok(client.exchanges().get_exchange(request).await?.into_inner().reversals)
}

/// Whether anything was given back: the amount is not zero.
fn is_reversed(exchange: &v1::Exchange) -> bool {
    exchange.reversed_source_points.chars().any(|digit| matches!(digit, '1'..='9'))
}

async fn exchanges_of(client: &Client) -> Result<Vec<v1::Exchange>, Stop> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListExchangesRequest {
            page_size: PAGE_SIZE,
            page_token,
            ..v1::ListExchangesRequest::default()
        };
        let page = client.exchanges().list_exchanges(request).await?.into_inner();
        all.extend(page.exchanges);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = page.next_page_token;
    }
}

fn merge(known: &mut BTreeMap<String, Told>, told: Told) -> anyhow::Result<()> {
    let id = told.exchange.exchange_id.clone();
    if let Some(other) = known.get(&id) {
        ensure!(*other == told, "the two partners of {id} are told different things");
    }
    known.insert(id, told);
    Ok(())
}

fn exchange_line(exchange: &v1::Exchange, book: &Book) -> anyhow::Result<ExchangeLine> {
    let leg = present(exchange.legs.first(), "leg")?;
    let references = exchange.references.clone().unwrap_or_default();
    let place: Vec<String> = [references.store, references.till].into_iter().flatten().collect();
    let code =
        |side: Option<&v1::Side>| side.map(|side| book.program_code(&side.program_id)).unwrap_or_default();
    let owed = leg.obligation.as_ref().filter(|_| exchange.state() == v1::ExchangeState::Committed);
    let back = exchange.reversed_source_points.clone();
    Ok(ExchangeLine {
        order: references.order,
        place: place.join(" "),
        state: state_of(exchange).to_owned(),
        given_back: if is_reversed(exchange) { back } else { String::new() },
        takes: format!("{} {}", leg.source_points, code(leg.source.as_ref())),
        credits: format!("{} {}", leg.credited_points, code(leg.destination.as_ref())),
        debt: owed.map(debt).unwrap_or_default(),
    })
}

/// Sums the obligations of committed legs and of reversals per pair and currency.
///
/// # Errors
/// An amount is no decimal number, or the sum is beyond what can be counted.
pub(super) fn debts(exchanges: &[Told]) -> anyhow::Result<Vec<PairDebt>> {
    let committed = exchanges.iter().filter(|told| told.exchange.state() == v1::ExchangeState::Committed);
    let owed = committed.flat_map(|told| {
        let legs = told.exchange.legs.iter().filter_map(|leg| leg.obligation.as_ref().map(|owed| (owed, 1)));
        let reversed = told.reversals.iter().flat_map(|reversal| &reversal.legs);
        legs.chain(reversed.filter_map(|leg| leg.obligation.as_ref().map(|owed| (owed, 0))))
    });
    let mut pairs: BTreeMap<[String; 3], PairDebt> = BTreeMap::new();
    for (obligation, legs) in owed {
        let money = present(obligation.money.as_ref(), "money")?;
        let amount: Decimal = money.amount.parse().context("the hub's amount is no decimal number")?;
        let mut codes = [obligation.debtor_partner_code.clone(), obligation.creditor_partner_code.clone()];
        codes.sort_unstable();
        let [low, high] = codes;
        let currency = money.currency_code.clone();
        let key = [low.clone(), high.clone(), currency.clone()];
        let zero = Decimal::new(0, 6);
        let pair = pairs.entry(key).or_insert_with(|| PairDebt {
            low,
            high,
            currency,
            legs: 0,
            low_owes: zero,
            high_owes: zero,
        });
        pair.legs = pair.legs.saturating_add(legs);
        let owed =
            if obligation.debtor_partner_code == pair.low { &mut pair.low_owes } else { &mut pair.high_owes };
        *owed = owed.checked_add(amount).context("the debts are too large to be summed")?;
    }
    Ok(pairs.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed((debtor, creditor): (&str, &str), amount: &str) -> v1::Obligation {
        v1::Obligation {
            debtor_partner_code: debtor.to_owned(),
            creditor_partner_code: creditor.to_owned(),
            money: Some(v1::Money { currency_code: "CNY".to_owned(), amount: amount.to_owned() }),
        }
    }

    fn exchange(state: v1::ExchangeState, between: (&str, &str), amount: &str) -> Told {
        let exchange = v1::Exchange {
            exchange_id: format!("exc_{amount}"),
            state: state.into(),
            legs: vec![v1::Leg { obligation: Some(owed(between, amount)), ..v1::Leg::default() }],
            ..v1::Exchange::default()
        };
        Told { exchange, reversals: Vec::new() }
    }

    #[test]
    fn only_committed_legs_and_reversals_count_and_both_ways_of_a_pair_meet() {
        use v1::ExchangeState::{Aborted, Committed, Prepared};
        let leg = v1::ReversedLeg {
            obligation: Some(owed(("airline", "supermarket"), "20.000000")),
            ..v1::ReversedLeg::default()
        };
        let reversals = vec![v1::Reversal { legs: vec![leg], ..v1::Reversal::default() }];
        let exchanges = [
            Told { reversals, ..exchange(Committed, ("supermarket", "airline"), "111.000000") },
            exchange(Committed, ("airline", "supermarket"), "0.664716"),
            exchange(Committed, ("supermarket", "airline"), "0.000001"),
            exchange(Prepared, ("supermarket", "airline"), "7.000000"),
            exchange(Aborted, ("airline", "babycare"), "9.000000"),
        ];
        let debts = debts(&exchanges).unwrap();
        let [pair] = debts.as_slice() else { panic!("{debts:?}") };
        assert_eq!((pair.low.as_str(), pair.high.as_str(), pair.legs), ("airline", "supermarket", 3));
        assert_eq!(
            (pair.low_owes.to_string().as_str(), pair.high_owes.to_string().as_str()),
            ("20.664716", "111.000001")
        );
        let net = pair.net();
        assert_eq!(
            (net.debtor, net.creditor, net.amount.to_string().as_str()),
            ("supermarket", "airline", "90.335285")
        );
    }

    #[test]
    fn an_amount_that_is_no_number_is_an_error() {
        let broken = exchange(v1::ExchangeState::Committed, ("airline", "babycare"), "much");
        assert!(debts(&[broken]).is_err());
    }

    #[test]
    fn partners_that_are_told_different_things_are_found_out() {
        let told = |amount| {
            let mut told = exchange(v1::ExchangeState::Committed, ("airline", "babycare"), amount);
            told.exchange.exchange_id = "exc_1".to_owned();
            told
        };
        let mut known = BTreeMap::new();
        merge(&mut known, told("1.000000")).unwrap();
        merge(&mut known, told("1.000000")).unwrap();
        assert_eq!(known.len(), 1);
        assert!(merge(&mut known, told("2.000000")).is_err());
    }
}
