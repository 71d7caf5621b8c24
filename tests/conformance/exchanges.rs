//! Promises about the two phases: who, in which order, and what time does to a hold.

use pointbridge_core::command::{AbortExchange, CommitExchange};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::rejection::Reason;
use pointbridge_store::{Due, Scope, Store};
use pointbridge_tests::hub::{Hub, preparation, reason};
use pointbridge_tests::script::till;

promises! {
    a_commit_moves_points_and_what_is_owed
    an_abort_leaves_everything_as_it_was
    a_membership_has_at_most_100_live_holds
    an_overdue_hold_is_expired_by_the_prepare_that_needs_its_points
    a_commit_after_the_hold_is_refused_with_and_without_a_sweeper
    either_party_aborts_and_only_the_initiator_commits
    asking_again_for_what_is_so_answers_the_same
}

async fn state<S: Store>(hub: &Hub<S>, id: ExchangeId) -> ReservationState {
    hub.store.exchange(&Scope::All, id).await.unwrap().unwrap().0.exchange.state
}

async fn a_commit_moves_points_and_what_is_owed<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("40")).await;
    let record = hub.commit(&scene.airline, exchange).await;
    assert_eq!(record.obligations.len(), 1);
    assert_eq!(record.obligations[0].money.to_string(), "0.400000");
    assert_eq!(
        (&record.obligations[0].debtor, &record.obligations[0].creditor),
        (&scene.airline, &scene.market)
    );
    let (source, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    let (destination, _) = hub.store.balance(&Scope::All, scene.shopper).await.unwrap().unwrap();
    assert_eq!((source.posted, source.held, source.live_holds, destination.posted), (60, 0, 0, 40));
}

async fn an_abort_leaves_everything_as_it_was<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("40")).await;
    hub.abort(&scene.airline, exchange).await;
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held, account.live_holds, account.postings), (100, 0, 0, 1));
    hub.prepare(&scene.airline, scene.wish("100")).await;
}

async fn a_membership_has_at_most_100_live_holds<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "200").await;
    let mut last = None;
    for _ in 0..100 {
        last = Some(hub.prepare(&scene.airline, scene.wish("1")).await);
    }
    let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
    assert_eq!(hub.reason(&till(&scene.airline), preparation(claims.clone())).await, Reason::HoldLimit);
    hub.commit(&scene.airline, last.unwrap()).await;
    hub.does(&till(&scene.airline), preparation(claims)).await;
}

async fn an_overdue_hold_is_expired_by_the_prepare_that_needs_its_points<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let first = hub.prepare(&scene.airline, scene.wish("10")).await;
    hub.clock.move_by(299);
    let claims = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    let caller = till(&scene.airline);
    assert_eq!(hub.reason(&caller, preparation(claims.clone())).await, Reason::InsufficientPoints);
    hub.clock.move_by(1);
    let second = claims.exchange_id;
    hub.does(&caller, preparation(claims)).await;
    assert_eq!(state(hub, first).await, ReservationState::Expired);
    assert_eq!(state(hub, second).await, ReservationState::Prepared);
    assert_eq!(hub.store.due(10).await.unwrap(), []);
}

async fn a_commit_after_the_hold_is_refused_with_and_without_a_sweeper<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let swept = hub.prepare(&scene.airline, scene.wish("5")).await;
    hub.clock.move_by(10);
    let unswept = hub.prepare(&scene.airline, scene.wish("5")).await;
    hub.clock.move_by(290);
    assert_eq!(hub.store.due(10).await.unwrap(), [Due::Hold(swept)]);
    assert_eq!(hub.sweep().await, 1);
    hub.clock.move_by(10);
    let caller = till(&scene.airline);
    for (exchange_id, expected) in [(swept, ReservationState::Expired), (unswept, ReservationState::Prepared)]
    {
        assert_eq!(state(hub, exchange_id).await, expected);
        assert_eq!(hub.reason(&caller, CommitExchange { exchange_id }).await, Reason::HoldExpired);
        let abort = AbortExchange { exchange_id, reason: reason("CUSTOMER_LEFT") };
        assert_eq!(hub.reason(&caller, abort).await, Reason::HoldExpired);
        assert_eq!(state(hub, exchange_id).await, expected, "a refusal changes no value");
    }
}

async fn either_party_aborts_and_only_the_initiator_commits<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.partner("cinema").await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let exchange_id = hub.prepare(&scene.airline, scene.wish("5")).await;
    let stranger = till(&pointbridge_tests::hub::code("cinema"));
    assert_eq!(hub.reason(&stranger, CommitExchange { exchange_id }).await, Reason::ExchangeNotFound);
    let other = till(&scene.market);
    assert_eq!(hub.reason(&other, CommitExchange { exchange_id }).await, Reason::RoleNotAllowed);
    hub.abort(&scene.market, exchange_id).await;
    assert_eq!(state(hub, exchange_id).await, ReservationState::Aborted);
}

async fn asking_again_for_what_is_so_answers_the_same<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let committed = hub.prepare(&scene.airline, scene.wish("5")).await;
    let aborted = hub.prepare(&scene.airline, scene.wish("5")).await;
    let first = (hub.commit(&scene.airline, committed).await, hub.abort(&scene.airline, aborted).await);
    hub.clock.move_by(3600);
    let before = hub.rows().await.iter().filter(|row| !is_request(row)).cloned().collect::<Vec<_>>();
    let again = (hub.commit(&scene.airline, committed).await, hub.abort(&scene.airline, aborted).await);
    assert_eq!(first, again, "under new request ids");
    let after = hub.rows().await.iter().filter(|row| !is_request(row)).cloned().collect::<Vec<_>>();
    assert_eq!(before, after, "nothing but the requests was written");
}

fn is_request(row: &pointbridge_store::AuditRow) -> bool {
    matches!(row, pointbridge_store::AuditRow::Request { .. })
}
