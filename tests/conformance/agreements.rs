//! Promises about agreements: versions never change, and a quote keeps the one that it was made under.

use pointbridge_core::agreement::Pair;
use pointbridge_core::command::EnteredDirection;
use pointbridge_core::rate::Rate;
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::{Changes, Footprint, Lock};
use pointbridge_store::{Scope, Store};
use pointbridge_tests::hub::{Hub, preparation};
use pointbridge_tests::scene::Scene;
use pointbridge_tests::script::till;

promises! {
    a_quote_keeps_its_version_when_a_newer_one_comes_into_force
    a_newer_proposal_takes_the_place_of_the_one_that_waits
    terms_read_back_as_they_were_proposed
}

fn doubled(scene: &Scene) -> EnteredDirection {
    EnteredDirection { rate: Rate::new(1, 2).unwrap(), ..scene.direction() }
}

async fn a_quote_keeps_its_version_when_a_newer_one_comes_into_force<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "20").await;
    let old = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    hub.agree(&scene.market, &scene.airline, vec![doubled(&scene)]).await;
    let new = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    let caller = till(&scene.airline);
    for (claims, version, credited) in [(old, 1, "10"), (new, 2, "20")] {
        let id = claims.exchange_id;
        let record = hub.does(&caller, preparation(claims)).await;
        let leg = &record.exchange().unwrap().legs[0];
        assert_eq!((leg.agreement_version, leg.credited_points.to_string().as_str()), (version, credited));
        hub.commit(&scene.airline, id).await;
    }
}

async fn a_newer_proposal_takes_the_place_of_the_one_that_waits<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let first = hub.propose(&scene.airline, &scene.market, vec![doubled(&scene)]).await;
    let second = hub.propose(&scene.airline, &scene.market, vec![scene.direction()]).await;
    assert_eq!((first.version, second.version), (2, 3));
    let market = till(&scene.market);
    assert_eq!(hub.reason(&market, first).await, Reason::AgreementNotPending);
    let seen = hub.store.agreement(&Scope::All, second.agreement_id).await.unwrap().unwrap();
    assert_eq!(seen.active.map(|version| version.version), Some(1));
    assert_eq!(seen.pending.map(|version| version.version), Some(3));
    let id = second.agreement_id;
    hub.does(&market, second).await;
    let seen = hub.store.agreement(&Scope::All, id).await.unwrap().unwrap();
    assert_eq!(seen.active.map(|version| version.version), Some(3));
    assert_eq!((seen.pending, seen.agreement.latest_version), (None, 3));
}

async fn terms_read_back_as_they_were_proposed<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let accept = hub.propose(&scene.airline, &scene.market, vec![doubled(&scene)]).await;
    let seen = hub.store.agreement(&Scope::All, accept.agreement_id).await.unwrap().unwrap();
    let pending = seen.pending.unwrap();
    assert_eq!(pending.terms_hash, accept.terms_hash);
    assert_eq!(pending.terms.seal().unwrap().1, accept.terms_hash);
    let mut query = pointbridge_core::world::FactQuery::default();
    query.versions.extend([(accept.agreement_id, 2), (accept.agreement_id, 3)]);
    query.agreements.insert(accept.agreement_id);
    let facts = hub.store.facts(&query).await.unwrap();
    assert_eq!(*facts.versions[&(accept.agreement_id, 2)], pending);
    assert_eq!(facts.versions.len(), 1, "version 3 does not exist");
    let pair = Pair::new(&scene.airline, &scene.market).unwrap();
    assert_eq!(facts.agreements[&accept.agreement_id], pair);
    let mut footprint = Footprint::default();
    footprint.agreement(&pair, Lock::Update);
    let world = hub.store.transact(&footprint, |world| (Changes::default(), world)).await.unwrap();
    assert_eq!(world.agreements[&pair], seen.agreement);
}
