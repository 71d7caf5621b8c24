//! Refusals of reversals.

use std::sync::Arc;

use pointbridge_core::command::{AdjustPoints, Answer, EnteredDirection};
use pointbridge_core::ids::ExchangeId;
use pointbridge_core::rate::Rate;
use pointbridge_core::rejection::Reason;
use pointbridge_core::reversal::REVERSALS_PER_EXCHANGE_MAX;
use pointbridge_store::{Scope, Store};
use pointbridge_tests::hub::{Hub, Wish, entered, reason, reference, reversal};
use pointbridge_tests::script::till;

use super::points::fill;
use super::{Seen, refuse};

promises! {
    reversals
    parts
}

pub(super) async fn reversals<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let cinema = hub.partner("cinema").await;
    let halved =
        EnteredDirection { rate: Rate::new(2, 1).unwrap(), reversal_days: Some(7), ..scene.direction() };
    hub.agree(&scene.airline, &scene.market, vec![halved]).await;
    hub.accrue(&scene.airline, scene.flyer, "500").await;
    let committed = hub.prepare(&scene.airline, scene.wish("100")).await;
    hub.commit(&scene.airline, committed).await;
    let aborted = hub.prepare(&scene.airline, scene.wish("100")).await;
    hub.abort(&scene.airline, aborted).await;
    let open = hub.prepare(&scene.airline, scene.wish("100")).await;
    let none = ExchangeId::new(hub.script.id());
    let (airline, market, cinema) = (till(&scene.airline), till(&scene.market), till(&cinema));
    let ask = |who: &_, id, points| hub.script.ask(who, reversal(id, points));
    let lines = [
        ("none", ask(&market, none, None), Reason::ExchangeNotFound),
        ("another's", ask(&cinema, committed, None), Reason::ExchangeNotFound),
        ("aborted", ask(&market, aborted, None), Reason::ReservationNotCommitted),
        ("prepared", ask(&market, open, None), Reason::ReservationNotCommitted),
        ("decimals", ask(&market, committed, Some("0.5")), Reason::AmountScale),
        ("nothing", ask(&market, committed, Some("0")), Reason::AmountOutOfRange),
        ("more than there was", ask(&market, committed, Some("101")), Reason::ReversalExceeds),
        ("for nothing", ask(&market, committed, Some("1")), Reason::AmountTooSmall),
    ];
    let mut seen = refuse(hub, lines).await;
    // 50 arrived; 30 of them go on and are held.
    let back = EnteredDirection {
        source_program: scene.stars,
        destination_program: scene.miles,
        ..scene.direction()
    };
    hub.agree(&scene.market, &scene.airline, vec![back]).await;
    let wish = Wish { source: scene.shopper, destination: scene.flyer, points: "30" };
    let onward = hub.prepare(&scene.market, wish).await;
    let lines = [
        ("held", ask(&market, committed, None), Reason::PointsSpent),
        ("held in part", ask(&airline, committed, Some("42")), Reason::PointsSpent),
    ];
    seen.extend(refuse(hub, lines).await);
    hub.abort(&scene.market, onward).await;
    hub.abort(&scene.airline, open).await;
    let taking_all = AdjustPoints {
        membership_id: scene.flyer,
        amount: entered("-400"),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    };
    hub.does(&airline, taking_all).await;
    fill(hub, &scene.airline, scene.flyer).await;
    seen.extend(refuse(hub, [("source full", ask(&market, committed, None), Reason::Overflow)]).await);
    hub.clock.move_by(7 * 86_400);
    let line = ("after seven days", ask(&airline, committed, None), Reason::ReversalTermOver);
    seen.extend(refuse(hub, [line]).await);
    seen
}

/// In a hundred parts at most, of which the last is all that is left.
pub(super) async fn parts<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "500").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("200")).await;
    hub.commit(&scene.airline, exchange).await;
    let market = till(&scene.market);
    let ask = |points| hub.script.ask(&market, reversal(exchange, points));
    let batch: Vec<Arc<_>> = (1..REVERSALS_PER_EXCHANGE_MAX).map(|_| ask(Some("1"))).collect();
    assert!(hub.run(&batch).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    let mut seen = refuse(hub, [("a hundredth part", ask(Some("1")), Reason::ReversalLimit)]).await;
    hub.done(ask(None)).await;
    let (view, parts) = hub.store.exchange(&Scope::All, exchange).await.unwrap().unwrap();
    assert_eq!((view.reversed_source, parts.len()), (200, 100));
    seen.extend(refuse(hub, [("nothing is left", ask(None), Reason::ReversalExceeds)]).await);
    seen
}
