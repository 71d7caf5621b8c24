//! Promises about reversals: what comes back, from where, in which window, and what the exchange shows of it.

use pointbridge_core::command::{Answer, CommitExchange};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::ledger::ChartAccount;
use pointbridge_core::record::RecordKind;
use pointbridge_core::rejection::Reason;
use pointbridge_store::{AuditRow, ExchangeFilter, Page, Scope, Store};
use pointbridge_tests::hub::{Hub, Wish, preparation, reversal};
use pointbridge_tests::scene::{Scene, hosted};
use pointbridge_tests::script::till;

promises! {
    a_reversal_gives_everything_back
    parts_add_up_and_the_exchange_shows_them
    a_reversal_is_answered_the_same_for_ever
    reversals_in_one_batch_and_in_the_next_never_overlap
    a_commit_and_its_reversal_share_a_batch
    an_overdue_hold_on_the_own_lot_is_ended_first
    points_that_have_expired_are_not_taken_back
    both_parties_see_the_reversal_and_nobody_else_does
}

async fn committed<S: Store>(hub: &Hub<S>, scene: &Scene, points: &str) -> ExchangeId {
    let exchange = hub.prepare(&scene.airline, scene.wish(points)).await;
    hub.commit(&scene.airline, exchange).await;
    exchange
}

async fn posted<S: Store>(hub: &Hub<S>, scene: &Scene) -> (i64, i64) {
    let flyer = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap().0.posted;
    (flyer, hub.store.balance(&Scope::All, scene.shopper).await.unwrap().unwrap().0.posted)
}

async fn a_reversal_gives_everything_back<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    let record = hub.reverse(&scene.market, exchange, None).await;
    assert_eq!(posted(hub, &scene).await, (100, 0));
    let owed = &record.obligations[0];
    assert_eq!((&owed.debtor, &owed.creditor), (&scene.market, &scene.airline));
    assert_eq!(owed.money.to_string(), "0.400000");
    let window = hub.rows().await.iter().find_map(|row| match row {
        AuditRow::Window { window_id, .. } => Some(window_id.clone()),
        _ => None,
    });
    assert_eq!(record.window_id.map(|id| id.to_string()), window);
    let exposed = hub.rows().await.into_iter().find_map(|row| match row {
        AuditRow::Exposure { committed_low, prepared_low, prepared_high, .. } => {
            Some((committed_low, prepared_low, prepared_high))
        }
        _ => None,
    });
    assert_eq!(exposed, Some((0, 0, 0)), "nobody owes anything");
    let on_chart = |account| {
        let lines = record.postings.iter().filter(move |line| line.account == account);
        lines.map(|line| line.amount.minor()).collect::<Vec<_>>()
    };
    assert_eq!(
        (on_chart(ChartAccount::ExchangeOut), on_chart(ChartAccount::ExchangeIn)),
        (vec![-40], vec![40])
    );
    // The points can be spent again, as they could before.
    hub.prepare(&scene.airline, scene.wish("100")).await;
}

async fn parts_add_up_and_the_exchange_shows_them<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    let other = committed(hub, &scene, "10").await;
    for (points, expected) in [(Some("15"), 15), (Some("5"), 20), (None, 40)] {
        hub.clock.move_by(1);
        hub.reverse(&scene.market, exchange, points).await;
        let (view, parts) = hub.store.exchange(&Scope::All, exchange).await.unwrap().unwrap();
        assert_eq!((view.exchange.state, view.reversed_source), (ReservationState::Committed, expected));
        assert_eq!(parts.last().unwrap().reversal.progress().source, expected);
        let last = hub.store.postings(&Scope::All, scene.flyer, &Page { after: None, size: 1 }).await;
        let last = last.unwrap().unwrap().rows.remove(0);
        assert_eq!((last.kind, last.exchange_id), (RecordKind::ExchangeReversed, Some(exchange)));
        assert_eq!(last.reason.unwrap().as_str(), "GOODS_RETURNED");
        assert_eq!(last.reference.unwrap().as_str(), "return-1");
    }
    let (_, parts) = hub.store.exchange(&Scope::All, exchange).await.unwrap().unwrap();
    let numbers: Vec<_> = parts.iter().map(|part| part.reversal.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let page = Page { after: None, size: 10 };
    let listed = hub.store.exchanges(&Scope::All, &ExchangeFilter::default(), &page).await.unwrap();
    let shown: Vec<_> =
        listed.rows.iter().map(|row| (row.exchange.exchange_id, row.reversed_source)).collect();
    assert_eq!(shown, [(other, 0), (exchange, 40)]);
    assert_eq!(posted(hub, &scene).await, (90, 10));
}

async fn a_reversal_is_answered_the_same_for_ever<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    let caller = till(&scene.airline);
    let request = hub.script.id();
    let ask = || hub.script.ask_as(&caller, request, reversal(exchange, Some("10")));
    let first = hub.done(ask()).await;
    hub.reverse(&scene.market, exchange, None).await;
    hub.clock.move_by(40 * 86_400);
    let before = hub.rows().await;
    assert_eq!(hub.done(ask()).await, first, "whatever came about since");
    assert_eq!(hub.rows().await, before);
    let other = hub.script.ask_as(&caller, request, reversal(exchange, Some("11")));
    assert_eq!(hub.refused(other).await.reason, Reason::RequestIdReused);
    // A commit that is answered again tells what was so then.
    let again = hub.does(&caller, CommitExchange { exchange_id: exchange }).await;
    assert_eq!(again.kind, RecordKind::ExchangeCommitted);
}

async fn reversals_in_one_batch_and_in_the_next_never_overlap<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let ask = |who, points| hub.script.ask(who, reversal(exchange, points));
    let batch = [ask(&market, Some("30")), ask(&airline, Some("30")), ask(&airline, Some("5"))];
    let answers = hub.run(&batch).await;
    assert!(matches!(answers[0], Answer::Done(_)), "{answers:?}");
    assert!(matches!(&answers[1], Answer::Refused(r) if r.reason == Reason::ReversalExceeds), "{answers:?}");
    assert!(matches!(answers[2], Answer::Done(_)), "{answers:?}");
    assert_eq!(hub.refused(ask(&market, Some("6"))).await.reason, Reason::ReversalExceeds);
    hub.done(ask(&market, Some("5"))).await;
    assert_eq!(posted(hub, &scene).await, (100, 0));
}

async fn a_commit_and_its_reversal_share_a_batch<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let exchange_id = hub.prepare(&scene.airline, scene.wish("40")).await;
    let commit = hub.script.ask(&airline, CommitExchange { exchange_id });
    let answers = hub.run(&[commit, hub.script.ask(&market, reversal(exchange_id, None))]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))), "{answers:?}");
    // Prepared, committed and reversed at once: what was not loaded is decided again, by the batch alone.
    let claims = hub.quote(&scene.airline, scene.wish("40")).await.unwrap();
    let exchange_id = claims.exchange_id;
    let batch = [
        hub.script.ask(&airline, preparation(claims)),
        hub.script.ask(&airline, CommitExchange { exchange_id }),
    ];
    let answers = hub.run(&batch).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))), "{answers:?}");
    hub.reverse(&scene.market, exchange_id, None).await;
    assert_eq!(posted(hub, &scene).await, (100, 0));
}

async fn an_overdue_hold_on_the_own_lot_is_ended_first<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.agree(&scene.airline, &scene.market, both_ways(&scene)).await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    let wish = Wish { source: scene.shopper, destination: scene.flyer, points: "40" };
    let onward = hub.prepare(&scene.market, wish).await;
    let market = till(&scene.market);
    assert_eq!(hub.reason(&market, reversal(exchange, None)).await, Reason::PointsSpent);
    hub.clock.move_by(300);
    hub.reverse(&scene.market, exchange, None).await;
    let state = hub.store.exchange(&Scope::All, onward).await.unwrap().unwrap().0.exchange.state;
    assert_eq!(state, ReservationState::Expired);
    assert_eq!(posted(hub, &scene).await, (100, 0));
}

fn both_ways(scene: &Scene) -> Vec<pointbridge_core::command::EnteredDirection> {
    vec![scene.direction(), pointbridge_tests::scene::direction(scene.stars, scene.miles)]
}

async fn points_that_have_expired_are_not_taken_back<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let weeks = hub.program(hosted(&scene.market, "weeks", 0, 1)).await;
    let short = hub.member(&scene.market, weeks, "short-1").await;
    let scene = Scene { shopper: short, stars: weeks, ..scene };
    hub.link(&scene).await;
    hub.consent(&scene.market, short, &scene.airline).await;
    hub.agree(&scene.airline, &scene.market, vec![scene.direction()]).await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    hub.reverse(&scene.market, exchange, Some("10")).await;
    hub.clock.move_by(70 * 86_400);
    let market = till(&scene.market);
    for _ in 0..2 {
        assert_eq!(hub.reason(&market, reversal(exchange, None)).await, Reason::PointsSpent);
        hub.sweep().await;
    }
}

async fn both_parties_see_the_reversal_and_nobody_else_does<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let cinema = hub.partner("cinema").await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = committed(hub, &scene, "40").await;
    hub.reverse(&scene.airline, exchange, None).await;
    for (partner, sees) in [(&scene.airline, true), (&scene.market, true), (&cinema, false)] {
        let seen = hub.store.exchange(&Scope::Partner(partner.clone()), exchange).await.unwrap();
        assert_eq!(seen.map(|(_, parts)| parts.len()), sees.then_some(1), "{partner}");
    }
}
