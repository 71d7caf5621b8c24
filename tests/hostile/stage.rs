//! An alliance for attackers to look at: a market, an airline, a baby-goods chain, members, terms in force, an exchange of
//! each state, and every role's line to the hub.

use pointbridge_client::{Client, Config, v1};

use crate::asks;
use crate::hub::{Data, Hub};
use crate::line::Identity;

/// The partners that are registered, and one that has a certificate and is not.
pub(crate) const PARTNERS: [&str; 3] = ["airline", "market", "babycare"];
const STRANGER: &str = "stranger";

/// The certificates of every kind of caller, by the names of their files.
pub(crate) const MARKET: &str = "partner.market.partner.till-7";
pub(crate) const AIRLINE: &str = "partner.airline.partner.till-7";
pub(crate) const BABYCARE: &str = "partner.babycare.partner.till-7";
pub(crate) const OPERATOR: &str = "operator.wang";
pub(crate) const CALLERS: [&str; 7] = [
    MARKET,
    AIRLINE,
    BABYCARE,
    OPERATOR,
    "partner.market.finance.zhou",
    "auditor.li",
    "partner.stranger.partner.till-7",
];

/// A hub with an alliance in it.
pub(crate) struct Stage {
    /// The hub.
    pub(crate) hub: Hub,
    /// What there is, by the prefix of its id; the market's own comes first.
    pub(crate) ids: Vec<String>,
    /// Quotes of the market's.
    pub(crate) quotes: Vec<String>,
    /// Ms Li at the market.
    pub(crate) li: String,
    /// The hash of the terms in force.
    pub(crate) terms_hash: String,
}

impl Stage {
    /// Makes a data folder, starts the hub, and makes the alliance over its interface.
    pub(crate) async fn open() -> Self {
        let hub = Hub::start(Data::bootstrap(&[&PARTNERS[..], &[STRANGER]].concat())).await;
        let operator = client(&hub, OPERATOR).await;
        for code in PARTNERS {
            operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
        }
        let (market, airline) = (client(&hub, MARKET).await, client(&hub, AIRLINE).await);
        let babycare = client(&hub, BABYCARE).await;
        let points = program(&market, "market", "points").await;
        let miles = program(&airline, "airline", "miles").await;
        let stars = program(&babycare, "babycare", "stars").await;
        let li = member(&market, &points, "market/li").await;
        let crane = member(&airline, &miles, "crane/li").await;
        let panda = member(&babycare, &stars, "panda/li").await;
        let code = airline.members().issue_link_code(asks::issue_link_code(&crane, "market")).await.unwrap();
        let code = code.into_inner().link_code;
        market.members().merge_members(asks::merge(&code, &li)).await.unwrap();
        let consent = market.members().grant_consent(asks::consent(&li, "airline")).await.unwrap();
        let consent = consent.into_inner().consent.unwrap().consent_id;
        airline.members().grant_consent(asks::consent(&crane, "market")).await.unwrap();
        let agreement = agree(&market, &airline, asks::direction(&points, &miles)).await;
        let terms_hash = agreement.pending.as_ref().unwrap().terms_hash.clone();
        market.ledger().accrue_points(asks::accrue(&li, "100000")).await.unwrap();
        babycare.ledger().accrue_points(asks::accrue(&panda, "1000")).await.unwrap();
        let exchanges = exchanges(&market, (&li, &crane)).await;
        let mut quotes = Vec::new();
        for _ in 0..4 {
            quotes.push(quote(&market, (&li, &crane)).await);
        }
        let mut ids = vec![li.clone(), crane, panda, points, miles, stars, agreement.agreement_id, consent];
        ids.extend(exchanges);
        Self { hub, ids, quotes, li, terms_hash }
    }

    /// The certificate of this name.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity::read(&self.hub.data.pki(), name, self.hub.address)
    }

    /// A well-behaved client with the certificate of this name.
    pub(crate) async fn client(&self, name: &str) -> Client {
        client(&self.hub, name).await
    }
}

/// A well-behaved client of a hub with the certificate of this name.
pub(crate) async fn client(hub: &Hub, name: &str) -> Client {
    let pki = hub.data.pki();
    let config = Config {
        endpoint: format!("https://{}", hub.address),
        ca_pem: pki.join("ca.pem"),
        certificate_pem: pki.join(format!("{name}.pem")),
        key_pem: pki.join(format!("{name}.key")),
        server_name: None,
    };
    Client::bare(&config).await.unwrap()
}

async fn program(client: &Client, partner: &str, code: &str) -> String {
    let request = asks::create_program(partner, code, 0);
    client.partners().create_program(request).await.unwrap().into_inner().program.unwrap().program_id
}

/// Registers a membership; answers with its id.
pub(crate) async fn member(client: &Client, program: &str, reference: &str) -> String {
    let answer = client.members().register_membership(asks::register(program, reference)).await.unwrap();
    answer.into_inner().membership.unwrap().membership_id
}

/// Proposes and accepts terms; answers with the agreement as it was proposed.
async fn agree(market: &Client, airline: &Client, terms: v1::DirectionTerms) -> v1::Agreement {
    let answer = market.agreements().propose_agreement(asks::propose("airline", vec![terms])).await.unwrap();
    let agreement = answer.into_inner().agreement.unwrap();
    airline.agreements().accept_agreement(asks::accept(&agreement)).await.unwrap();
    agreement
}

async fn quote(market: &Client, (from, to): (&str, &str)) -> String {
    let answer = market.exchanges().quote_exchange(asks::quote(from, to, "66")).await.unwrap();
    answer.into_inner().quote.unwrap().quote_token
}

/// Three exchanges: prepared, committed, aborted.
async fn exchanges(market: &Client, between: (&str, &str)) -> [String; 3] {
    let mut made = Vec::new();
    for order in ["SM-1", "SM-2", "SM-3"] {
        let token = quote(market, between).await;
        let answer = market.exchanges().prepare_exchange(asks::prepare(&token, order)).await.unwrap();
        made.push(answer.into_inner().exchange.unwrap().exchange_id);
    }
    let made: [String; 3] = made.try_into().unwrap();
    market.exchanges().commit_exchange(asks::commit(&made[1])).await.unwrap();
    market.exchanges().abort_exchange(asks::abort(&made[2])).await.unwrap();
    made
}
