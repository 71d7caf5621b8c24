//! An alliance on the real program: three partners, people who are members of two of them, and terms both ways.
//!
//! Everything is made over the wire. The way back holds points for two seconds only, so that holds run out under the load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pointbridge_client::{Client, v1};
use tempfile::TempDir;

use crate::asks;
use crate::program::{Serving, bootstrap, issue_partner};
use crate::scene::{agree, grant, link, member, program};

/// The partners that call.
pub(crate) const PARTNERS: [&str; 3] = ["airline", "market", "babycare"];
/// People with one membership at the market and one at the airline.
const PEOPLE: usize = 3;
/// How long the way from miles to points holds, in seconds.
const SHORT_HOLD_SECONDS: u32 = 2;

/// A data folder with keys, certificates and an alliance in its database.
pub(crate) struct Alliance {
    folder: TempDir,
    /// Memberships at the market and at the airline, by person.
    pub(crate) people: Vec<[String; 2]>,
    /// Memberships at the baby-goods chain, which exchanges nothing.
    pub(crate) babies: Vec<String>,
}

/// A client per partner.
pub(crate) type Clients = BTreeMap<&'static str, Client>;

impl Alliance {
    /// Makes the folder, serves it, makes the alliance. The hub goes on serving.
    pub(crate) async fn found() -> (Self, Serving) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        prepare(&data);
        let hub = Serving::start_logging(&data, "info").await;
        let (people, babies) = enrol(&hub).await;
        (Self { folder, people, babies }, hub)
    }

    /// The hub's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// A place for files that are not the hub's.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Every membership, with the code of its partner.
    pub(crate) fn memberships(&self) -> Vec<(&'static str, &str)> {
        let people = self
            .people
            .iter()
            .flat_map(|[market, airline]| [("market", market.as_str()), ("airline", airline.as_str())]);
        people.chain(self.babies.iter().map(|baby| ("babycare", baby.as_str()))).collect()
    }
}

/// Makes a data folder with a database and the certificates of operator and partners.
pub(crate) fn prepare(data: &Path) {
    bootstrap(data);
    for code in PARTNERS {
        issue_partner(data, code);
    }
}

/// A client for each partner.
pub(crate) async fn connect(hub: &Serving) -> Clients {
    let mut clients = Clients::new();
    for code in PARTNERS {
        clients.insert(code, hub.client(&format!("partner.{code}.partner.till-7")).await);
    }
    clients
}

/// Makes programs, people and terms; answers with the people's memberships and the babies'.
pub(crate) async fn enrol(hub: &Serving) -> (Vec<[String; 2]>, Vec<String>) {
    let operator = hub.client("operator.wang").await;
    for code in PARTNERS {
        operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    }
    let clients = connect(hub).await;
    let [airline, market, babycare] = PARTNERS.map(|code| &clients[code]);
    let miles = program(airline, asks::create_program("airline", "miles", 0)).await;
    let points = program(market, asks::create_program("market", "points", 0)).await;
    let stars = program(babycare, asks::create_program("babycare", "stars", 0)).await;
    let mut people = Vec::new();
    let mut babies = Vec::new();
    for number in 0..PEOPLE {
        let at_market = member(market, &points, &format!("market/{number}")).await;
        let at_airline = member(airline, &miles, &format!("crane/{number}")).await;
        link(airline, &at_airline, ("market", market), &at_market).await;
        grant(market, &at_market, "airline").await;
        grant(airline, &at_airline, "market").await;
        people.push([at_market, at_airline]);
        babies.push(member(babycare, &stars, &format!("panda/{number}")).await);
    }
    let generous = || {
        let exposure_limit = "1000000000".to_owned();
        Some(v1::direction_terms::Funding::Postpaid(v1::Postpaid { exposure_limit }))
    };
    let there = v1::DirectionTerms { funding: generous(), ..asks::direction(&points, &miles) };
    let back = v1::DirectionTerms {
        rate: Some(v1::Rate { give: 4, get: 5 }),
        hold_seconds: SHORT_HOLD_SECONDS,
        funding: generous(),
        ..asks::direction(&miles, &points)
    };
    agree(market, ("airline", airline), vec![there, back]).await;
    (people, babies)
}
