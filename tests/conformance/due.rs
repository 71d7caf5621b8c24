//! Promises about what time asks for: what is due is listed, and nothing else.

use pointbridge_core::command::{AccruePoints, ExpireExchange, ExpireLots};
use pointbridge_core::ids::MembershipId;
use pointbridge_store::{Due, Pulse, Store};
use pointbridge_tests::hub::{Hub, accrual};
use pointbridge_tests::script::till;

promises! {
    what_is_due_is_listed_the_longest_overdue_first
    the_limit_holds_for_each_kind
    what_is_not_due_is_left_alone
    the_pulse_tells_what_is_open_and_for_how_long
}

fn until<S: Store>(hub: &Hub<S>, membership: MembershipId, seconds: u32) -> AccruePoints {
    AccruePoints { expires_at: Some(hub.clock.now().plus_seconds(seconds)), ..accrual(membership, "10") }
}

async fn what_is_due_is_listed_the_longest_overdue_first<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let second = hub.member(&scene.airline, scene.miles, "flyer-2").await;
    let caller = till(&scene.airline);
    hub.does(&caller, until(hub, scene.flyer, 200)).await;
    hub.does(&caller, until(hub, second, 100)).await;
    hub.does(&caller, until(hub, second, 5000)).await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let late = hub.clock.now();
    hub.clock.move_by(20);
    let first = hub.prepare(&scene.airline, scene.wish("1")).await;
    hub.clock.move_by(5);
    let next = hub.prepare(&scene.airline, scene.wish("1")).await;
    let at = async |seconds: i64| {
        hub.clock.set(late);
        hub.clock.move_by(seconds);
        hub.store.due(10).await.unwrap()
    };
    assert_eq!(at(99).await, []);
    assert_eq!(at(100).await, [Due::Lots(second)]);
    assert_eq!(at(200).await, [Due::Lots(second), Due::Lots(scene.flyer)]);
    let all = [Due::Hold(first), Due::Hold(next), Due::Lots(second), Due::Lots(scene.flyer)];
    assert_eq!(at(320).await, [all[0], all[2], all[3]]);
    assert_eq!(at(325).await, all);
    assert_eq!(hub.sweep().await, 4, "the holds first, so that the lots that they let go go too");
    assert_eq!(at(325).await, []);
}

async fn the_limit_holds_for_each_kind<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let mut holds = Vec::new();
    for _ in 0..3 {
        holds.push(hub.prepare(&scene.airline, scene.wish("1")).await);
        hub.clock.move_by(1);
    }
    hub.does(&till(&scene.market), until(hub, scene.shopper, 1)).await;
    hub.clock.move_by(1000);
    let due = hub.store.due(2).await.unwrap();
    assert_eq!(due, [Due::Hold(holds[0]), Due::Hold(holds[1]), Due::Lots(scene.shopper)]);
}

async fn what_is_not_due_is_left_alone<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let exchange_id = hub.prepare(&scene.airline, scene.wish("1")).await;
    let rows = hub.rows().await;
    let batch = [
        hub.script.from_hub(ExpireExchange { exchange_id }),
        hub.script.from_hub(ExpireLots { membership_id: scene.flyer }),
    ];
    let answers = hub.run(&batch).await;
    assert!(answers.iter().all(|answer| *answer == pointbridge_core::command::Answer::Idle));
    assert_eq!(hub.rows().await, rows);
}

async fn the_pulse_tells_what_is_open_and_for_how_long<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    let nothing = |pulse: Pulse| (pulse.holds_open, pulse.oldest_hold_at, pulse.first_hold_ends_at);
    assert_eq!(nothing(hub.store.pulse().await.unwrap()), (0, None, None));
    let began = hub.clock.now();
    let first = hub.prepare(&scene.airline, scene.wish("1")).await;
    hub.clock.move_by(5);
    hub.prepare(&scene.airline, scene.wish("1")).await;
    let both = hub.store.pulse().await.unwrap();
    let expected = Pulse {
        holds_open: 2,
        oldest_hold_at: Some(began),
        first_hold_ends_at: Some(began.plus_seconds(300)),
        now: hub.clock.now(),
    };
    assert_eq!(both, expected);
    hub.commit(&scene.airline, first).await;
    let second = hub.store.pulse().await.unwrap();
    assert_eq!((second.holds_open, second.oldest_hold_at), (1, Some(hub.clock.now())));
    hub.clock.move_by(1000);
    hub.sweep().await;
    assert_eq!(nothing(hub.store.pulse().await.unwrap()), (0, None, None));
}
