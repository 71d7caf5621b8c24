//! Promises about lists: a walk in pages of one shows what one page shows, in the same order.

use std::fmt::Debug;
use std::future::Future;

use pointbridge_core::command::AccruePoints;
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::{AgreementId, ExchangeId, ProgramId};
use pointbridge_core::text::PartnerCode;
use pointbridge_store::{ExchangeFilter, Page, Paged, Scope, Store};
use pointbridge_tests::hub::{Hub, accrual, reference};
use pointbridge_tests::scene::{Scene, direction, hosted};
use pointbridge_tests::script::till;

promises! {
    partners_are_paged_by_code
    programs_are_paged_by_id
    agreements_are_paged_by_id
    consents_are_paged_the_newest_last
    postings_are_paged_the_newest_first
    lots_are_paged_in_the_order_of_spending
    exchanges_are_paged_the_newest_first_under_every_filter
}

/// Walks a list in pages of one and of two, and compares with all of it on one page. Answers with all rows.
async fn walk<T, K, F>(list: impl Fn(Page<K>) -> F) -> Vec<T>
where
    T: Debug + PartialEq,
    K: Clone + Debug,
    F: Future<Output = Paged<T, K>>,
{
    let whole = list(Page { after: None, size: Page::<K>::SIZE_MAX }).await;
    assert!(whole.next.is_none());
    for size in [1, 2] {
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let page = list(Page { after, size }).await;
            assert!(page.rows.len() <= usize::try_from(size).unwrap());
            walked.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
            assert!(walked.len() <= whole.rows.len(), "a walk has an end");
        }
        assert_eq!(walked, whole.rows, "in pages of {size}");
    }
    whole.rows
}

async fn partners_are_paged_by_code<S: Store>(hub: &Hub<S>) {
    for code in ["market", "airline", "cinema", "baby-goods", "airline2"] {
        hub.partner(code).await;
    }
    let rows =
        walk(async |page: Page<PartnerCode>| hub.store.partners(&Scope::All, &page).await.unwrap()).await;
    let codes: Vec<&str> = rows.iter().map(|partner| partner.code.as_str()).collect();
    assert_eq!(codes, ["airline", "airline2", "baby-goods", "cinema", "market"]);
}

async fn programs_are_paged_by_id<S: Store>(hub: &Hub<S>) {
    let scene = hub.strangers().await;
    let third = hub.program(hosted(&scene.airline, "club", 2, 12)).await;
    let scope = Scope::All;
    let list = async |page: Page<ProgramId>| hub.store.programs(&scope, None, &page).await.unwrap();
    let ids: Vec<ProgramId> = walk(list).await.iter().map(|program| program.program_id).collect();
    assert_eq!(ids, [scene.miles, scene.stars, third]);
    let own =
        async |page: Page<ProgramId>| hub.store.programs(&scope, Some(&scene.airline), &page).await.unwrap();
    let own = walk(own).await;
    assert_eq!(own.iter().map(|program| program.program_id).collect::<Vec<_>>(), [scene.miles, third]);
    assert_eq!((own[1].scale.decimals(), own[1].points_expiry_months), (2, 12));
}

async fn agreements_are_paged_by_id<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    for code in ["cinema", "baby-goods"] {
        let other = hub.partner(code).await;
        let program = hub.program(hosted(&other, "points", 0, 0)).await;
        hub.propose(&other, &scene.airline, vec![direction(program, scene.miles)]).await;
    }
    let scope = Scope::All;
    let list = async |page: Page<AgreementId>| hub.store.agreements(&scope, None, &page).await.unwrap();
    let all = walk(list).await;
    assert_eq!(all.len(), 3);
    assert!(all.windows(2).all(|two| two[0].agreement.agreement_id < two[1].agreement.agreement_id));
    let of_market = async |page: Page<AgreementId>| {
        hub.store.agreements(&scope, Some(&scene.market), &page).await.unwrap()
    };
    let of_market = walk(of_market).await;
    assert_eq!(of_market.len(), 1);
    assert!(of_market[0].active.is_some() && of_market[0].pending.is_none());
}

async fn consents_are_paged_the_newest_last<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    for seconds in [0, 0, 5] {
        hub.clock.move_by(seconds);
        hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    }
    let list = async |page| hub.store.consents(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    let rows = walk(list).await;
    assert_eq!(rows.len(), 4);
    let keys: Vec<_> = rows.iter().map(|row| (row.consent.granted_at, row.consent.consent_id)).collect();
    assert!(keys.is_sorted());
}

async fn postings_are_paged_the_newest_first<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    for points in ["3", "5", "7"] {
        hub.accrue(&scene.airline, scene.flyer, points).await;
    }
    let exchange = hub.prepare(&scene.airline, scene.wish("4")).await;
    hub.commit(&scene.airline, exchange).await;
    let list = async |page| hub.store.postings(&Scope::All, scene.flyer, &page).await.unwrap().unwrap();
    let rows = walk(list).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let member = row.posting.member.as_ref().unwrap();
            (member.sequence, row.posting.amount.minor(), member.balance_after.minor())
        })
        .collect();
    assert_eq!(told, [(4, -4, 11), (3, 7, 15), (2, 5, 8), (1, 3, 3)]);
    assert_eq!((rows[0].exchange_id, rows[1].exchange_id), (Some(exchange), None));
    assert_eq!(rows[1].reference, Some(reference("receipt-1")));
}

async fn lots_are_paged_in_the_order_of_spending<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "1").await;
    for (points, seconds) in [("2", 900), ("3", 700), ("4", 800)] {
        let expires_at = Some(hub.clock.now().plus_seconds(seconds));
        let accrual = AccruePoints { expires_at, ..accrual(scene.flyer, points) };
        hub.does(&till(&scene.airline), accrual).await;
    }
    let list = async |page| hub.store.lots(&Scope::All, scene.flyer, &page).await.unwrap().unwrap().0;
    let left = |rows: Vec<pointbridge_store::LotView>| -> Vec<i64> {
        rows.iter().map(|row| row.lot.remaining).collect()
    };
    assert_eq!(left(walk(list).await), [3, 4, 2, 1]);
    let exchange = hub.prepare(&scene.airline, scene.wish("3")).await;
    hub.commit(&scene.airline, exchange).await;
    assert_eq!(left(walk(list).await), [4, 2, 1], "what is spent is gone");
}

async fn exchanges<S: Store>(hub: &Hub<S>, scope: &Scope, filter: ExchangeFilter) -> Vec<ExchangeId> {
    let filter = &filter;
    let list = async |page: Page<ExchangeId>| hub.store.exchanges(scope, filter, &page).await.unwrap();
    walk(list).await.iter().map(|view| view.exchange.exchange_id).collect()
}

async fn exchanges_are_paged_the_newest_first_under_every_filter<S: Store>(hub: &Hub<S>) {
    let scene: Scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(hub.prepare(&scene.airline, scene.wish("1")).await);
    }
    hub.commit(&scene.airline, ids[1]).await;
    hub.abort(&scene.airline, ids[3]).await;
    let newest_first: Vec<ExchangeId> = ids.iter().rev().copied().collect();
    for scope in [Scope::All, Scope::Partner(scene.airline.clone()), Scope::Partner(scene.market.clone())] {
        assert_eq!(exchanges(hub, &scope, ExchangeFilter::default()).await, newest_first);
        for id in [scene.flyer, scene.shopper] {
            let filter = ExchangeFilter { membership_id: Some(id), ..ExchangeFilter::default() };
            assert_eq!(exchanges(hub, &scope, filter).await, newest_first);
        }
        for (state, expected) in [
            (ReservationState::Prepared, vec![ids[4], ids[2], ids[0]]),
            (ReservationState::Committed, vec![ids[1]]),
            (ReservationState::Aborted, vec![ids[3]]),
            (ReservationState::Expired, vec![]),
        ] {
            let filter = ExchangeFilter { state: Some(state), ..ExchangeFilter::default() };
            assert_eq!(exchanges(hub, &scope, filter).await, expected, "{state:?}");
        }
        let order = Some(reference(&format!("order-{}", ids[2])));
        let filter = ExchangeFilter { order, ..ExchangeFilter::default() };
        assert_eq!(exchanges(hub, &scope, filter.clone()).await, [ids[2]]);
        let filter = ExchangeFilter { state: Some(ReservationState::Committed), ..filter };
        assert_eq!(exchanges(hub, &scope, filter).await, []);
    }
}
