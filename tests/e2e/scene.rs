//! An alliance at work over the wire: a market with points, an airline with miles, a baby-goods chain that is a
//! stranger to both, and Ms Li, who is a member of the first two.
//!
//! Tests begin here and change one thing. What is made stops being made by a panic with the hub's answer.

use pointbridge_client::{Client, v1};

use crate::asks;
use crate::harness::{Folder, Hub};

/// The hub, its callers, and what there is.
pub(crate) struct Scene {
    pub(crate) hub: Hub,
    pub(crate) operator: Client,
    pub(crate) airline: Client,
    pub(crate) market: Client,
    /// A partner that has nothing to do with the other two.
    pub(crate) babycare: Client,
    /// The airline's program, without decimals.
    pub(crate) miles: String,
    /// The market's program, without decimals.
    pub(crate) points: String,
    /// The baby-goods chain's program, with two decimals.
    pub(crate) stars: String,
    /// Ms Li at the airline.
    pub(crate) li_miles: String,
    /// Ms Li at the market.
    pub(crate) li_points: String,
    /// The agreement between the market and the airline.
    pub(crate) agreement: String,
    /// Ms Li's consent at the market, for the airline.
    pub(crate) consent: String,
}

impl Scene {
    /// The alliance with an agreement, one linked member, consents both ways, and no points yet.
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// The same, after a change to the terms from points to miles.
    pub(crate) async fn open_with(change: impl FnOnce(&mut v1::DirectionTerms)) -> Self {
        let hub = Hub::start_in(Folder::fresh(), 0).await;
        let operator = hub.operator().await;
        for code in ["airline", "market", "babycare"] {
            operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
        }
        let airline = hub.partner("airline").await;
        let market = hub.partner("market").await;
        let babycare = hub.partner("babycare").await;
        let miles = program(&airline, asks::create_program("airline", "miles", 0)).await;
        let points = program(&market, asks::create_program("market", "points", 0)).await;
        let stars = program(&babycare, asks::create_program("babycare", "stars", 2)).await;
        let li_miles = member(&airline, &miles, "crane/li").await;
        let li_points = member(&market, &points, "market/li").await;
        link(&airline, &li_miles, ("market", &market), &li_points).await;
        let consent = grant(&market, &li_points, "airline").await;
        grant(&airline, &li_miles, "market").await;
        let mut terms = asks::direction(&points, &miles);
        change(&mut terms);
        let back = v1::DirectionTerms {
            rate: Some(v1::Rate { give: 4, get: 5 }),
            rounding: v1::Rounding::HalfEven.into(),
            residue_owner: v1::ResidueOwner::Destination.into(),
            fee_points: "10".to_owned(),
            basis: v1::SettlementBasis::Credited.into(),
            ..asks::direction(&miles, &points)
        };
        let agreement = agree(&market, ("airline", &airline), vec![terms, back]).await;
        Self {
            hub,
            operator,
            airline,
            market,
            babycare,
            miles,
            points,
            stars,
            li_miles,
            li_points,
            agreement,
            consent,
        }
    }

    /// Gives Ms Li points at the market.
    pub(crate) async fn earn(&self, points: &str) {
        self.market.ledger().accrue_points(asks::accrue(&self.li_points, points)).await.unwrap();
    }

    /// A quote of Ms Li's points in miles.
    pub(crate) async fn quote(&self, points: &str) -> v1::Quote {
        let request = asks::quote(&self.li_points, &self.li_miles, points);
        self.market.exchanges().quote_exchange(request).await.unwrap().into_inner().quote.unwrap()
    }

    /// An exchange of Ms Li's points, prepared.
    pub(crate) async fn prepare(&self, points: &str, order: &str) -> v1::Exchange {
        let token = self.quote(points).await.quote_token;
        let answer = self.market.exchanges().prepare_exchange(asks::prepare(&token, order)).await;
        answer.unwrap().into_inner().exchange.unwrap()
    }

    /// Posted, held and available points of Ms Li at the market.
    pub(crate) async fn market_balance(&self) -> [String; 3] {
        balance(&self.market, &self.li_points).await
    }
}

/// Posted, held and available points of a membership.
pub(crate) async fn balance(client: &Client, membership: &str) -> [String; 3] {
    let answer = client.ledger().get_balance(asks::get_balance(membership)).await.unwrap().into_inner();
    let balance = answer.balance.unwrap();
    [balance.posted, balance.held, balance.available]
}

/// Creates a program; answers with its id.
pub(crate) async fn program(client: &Client, request: v1::CreateProgramRequest) -> String {
    client.partners().create_program(request).await.unwrap().into_inner().program.unwrap().program_id
}

/// Registers a membership; answers with its id.
pub(crate) async fn member(client: &Client, program: &str, reference: &str) -> String {
    let answer = client.members().register_membership(asks::register(program, reference)).await.unwrap();
    answer.into_inner().membership.unwrap().membership_id
}

/// Has one partner issue a link code, and the other one bring it.
pub(crate) async fn link(issuer: &Client, at: &str, (code, bringer): (&str, &Client), brought: &str) {
    let answer = issuer.members().issue_link_code(asks::issue_link_code(at, code)).await.unwrap();
    let link_code = answer.into_inner().link_code;
    bringer.members().merge_members(asks::merge(&link_code, brought)).await.unwrap();
}

/// Takes down a consent; answers with its id.
pub(crate) async fn grant(client: &Client, membership: &str, recipient: &str) -> String {
    let answer = client.members().grant_consent(asks::consent(membership, recipient)).await.unwrap();
    answer.into_inner().consent.unwrap().consent_id
}

/// Proposes and accepts terms; answers with the agreement's id.
pub(crate) async fn agree(
    author: &Client,
    (code, other): (&str, &Client),
    directions: Vec<v1::DirectionTerms>,
) -> String {
    let answer = author.agreements().propose_agreement(asks::propose(code, directions)).await.unwrap();
    let agreement = answer.into_inner().agreement.unwrap();
    other.agreements().accept_agreement(asks::accept(&agreement)).await.unwrap();
    agreement.agreement_id
}
