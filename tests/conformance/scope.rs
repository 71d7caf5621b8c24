//! Promises about scope: what is another's is as if it did not exist.

use pointbridge_core::ids::{AgreementId, ExchangeId, MembershipId, ProgramId};
use pointbridge_store::{ExchangeFilter, MembershipName, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, reference};
use pointbridge_tests::scene::{Scene, hosted};

promises! {
    a_partner_reads_what_is_its_own
    what_is_anothers_is_as_if_it_did_not_exist
    a_quote_shows_only_ends_that_the_caller_may_know_of
}

const PAGE_SIZE: u32 = 10;

fn page<K>() -> Page<K> {
    Page { after: None, size: PAGE_SIZE }
}

/// A scene with an exchange and a third partner that has no part in it.
async fn with_stranger<S: Store>(hub: &Hub<S>) -> (Scene, ExchangeId, AgreementId, Scope) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("4")).await;
    let cinema = hub.partner("cinema").await;
    hub.program(hosted(&cinema, "seats", 0, 0)).await;
    let all = hub.store.agreements(&Scope::All, None, &page()).await.unwrap();
    (scene, exchange, all.rows[0].agreement.agreement_id, Scope::Partner(cinema))
}

async fn a_partner_reads_what_is_its_own<S: Store>(hub: &Hub<S>) {
    let (scene, exchange, agreement, _) = with_stranger(hub).await;
    for (partner, program, membership, name) in [
        (&scene.airline, scene.miles, scene.flyer, "flyer-1"),
        (&scene.market, scene.stars, scene.shopper, "shopper-1"),
    ] {
        let scope = Scope::Partner(partner.clone());
        let store = &hub.store;
        assert_eq!(store.partner(&scope, partner).await.unwrap().unwrap().code, *partner);
        assert_eq!(store.partners(&scope, &page()).await.unwrap().rows.len(), 1);
        assert_eq!(store.program(&scope, program).await.unwrap().unwrap().program_id, program);
        assert_eq!(store.programs(&scope, None, &page()).await.unwrap().rows.len(), 1);
        assert!(store.agreement(&scope, agreement).await.unwrap().is_some());
        assert_eq!(store.agreements(&scope, None, &page()).await.unwrap().rows.len(), 1);
        let by_name = MembershipName::External(program, reference(name));
        let by_id = store.membership(&scope, &MembershipName::Id(membership)).await.unwrap();
        assert!(by_id.is_some());
        assert_eq!(store.membership(&scope, &by_name).await.unwrap(), by_id);
        assert_eq!(store.consents(&scope, membership, &page()).await.unwrap().unwrap().rows.len(), 1);
        assert!(store.balance(&scope, membership).await.unwrap().is_some());
        assert!(store.postings(&scope, membership, &page()).await.unwrap().is_some());
        assert!(store.lots(&scope, membership, &page()).await.unwrap().is_some());
        assert!(store.exchange(&scope, exchange).await.unwrap().is_some());
        let listed = store.exchanges(&scope, &ExchangeFilter::default(), &page()).await.unwrap();
        assert_eq!(listed.rows.len(), 1);
    }
}

async fn what_is_anothers_is_as_if_it_did_not_exist<S: Store>(hub: &Hub<S>) {
    let (scene, exchange, agreement, cinema) = with_stranger(hub).await;
    let id = |bits| MembershipId::new(bits);
    let nothing = (
        ProgramId::new(hub.script.id()),
        AgreementId::new(hub.script.id()),
        id(hub.script.id()),
        ExchangeId::new(hub.script.id()),
    );
    let theirs = (scene.miles, agreement, scene.flyer, exchange);
    let store = &hub.store;
    for (program, agreement, membership, exchange) in [theirs, nothing] {
        assert!(store.program(&cinema, program).await.unwrap().is_none());
        assert!(store.agreement(&cinema, agreement).await.unwrap().is_none());
        let by_name = MembershipName::External(program, reference("flyer-1"));
        for name in [MembershipName::Id(membership), by_name] {
            assert!(store.membership(&cinema, &name).await.unwrap().is_none());
        }
        assert!(store.consents(&cinema, membership, &page()).await.unwrap().is_none());
        assert!(store.balance(&cinema, membership).await.unwrap().is_none());
        assert!(store.postings(&cinema, membership, &page()).await.unwrap().is_none());
        assert!(store.lots(&cinema, membership, &page()).await.unwrap().is_none());
        assert!(store.exchange(&cinema, exchange).await.unwrap().is_none());
        let filter = ExchangeFilter { membership_id: Some(membership), ..ExchangeFilter::default() };
        assert!(store.exchanges(&cinema, &filter, &page()).await.unwrap().rows.is_empty());
    }
    assert!(store.partner(&cinema, &scene.airline).await.unwrap().is_none());
    assert_eq!(store.partners(&cinema, &page()).await.unwrap().rows.len(), 1);
    let named = store.programs(&cinema, Some(&scene.airline), &page()).await.unwrap();
    assert!(named.rows.is_empty());
    assert!(store.agreements(&cinema, Some(&scene.airline), &page()).await.unwrap().rows.is_empty());
    let other_end = Scope::Partner(scene.market.clone());
    assert!(store.balance(&other_end, scene.flyer).await.unwrap().is_none(), "nor is the other end's");
}

async fn a_quote_shows_only_ends_that_the_caller_may_know_of<S: Store>(hub: &Hub<S>) {
    let (scene, _, _, cinema) = with_stranger(hub).await;
    let airline = Scope::Partner(scene.airline.clone());
    let other = hub.member(&scene.market, scene.stars, "shopper-2").await;
    for (scope, source, destination, seen) in [
        (&airline, scene.flyer, scene.shopper, (true, true, true)),
        (&airline, scene.flyer, other, (true, false, false)),
        (&airline, scene.flyer, MembershipId::new(hub.script.id()), (true, false, false)),
        (&airline, scene.shopper, scene.flyer, (false, false, false)),
        (&cinema, scene.flyer, scene.shopper, (false, false, false)),
    ] {
        let quote = hub.store.quote(scope, source, destination).await.unwrap();
        let found = (quote.source.is_some(), quote.destination.is_some(), quote.version.is_some());
        assert_eq!(found, seen, "{scope:?} {source} {destination}");
        assert_eq!((quote.now, quote.epoch), (hub.clock.now(), 1));
    }
    let quote = hub.store.quote(&airline, scene.flyer, scene.shopper).await.unwrap();
    assert_eq!(quote.source.unwrap().consent.unwrap().recipient, scene.market);
    assert_eq!(quote.destination.unwrap().consent.unwrap().recipient, scene.airline);
}
