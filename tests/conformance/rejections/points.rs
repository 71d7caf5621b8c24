//! Refusals about accruals and adjustments.

use pointbridge_core::command::{AccruePoints, AdjustPoints, Answer};
use pointbridge_core::ids::MembershipId;
use pointbridge_core::rejection::Reason;
use pointbridge_store::Store;
use pointbridge_tests::hub::{Hub, accrual, entered, reason, reference};
use pointbridge_tests::script::till;

use super::people::{freeze, thaw};
use super::{Seen, refuse};

promises! {
    accruals
    adjustments
}

/// The most that one command can name.
const MOST: &str = "999999999999999999";

/// What is left of 64 bits after nine times the most.
const REST: &str = "223372036854775816";

fn adjustment(membership_id: MembershipId, amount: &str) -> AdjustPoints {
    AdjustPoints {
        membership_id,
        amount: entered(amount),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    }
}

/// Gives as much as 64 bits count.
pub(super) async fn fill<S: Store>(
    hub: &Hub<S>,
    partner: &pointbridge_core::text::PartnerCode,
    id: MembershipId,
) {
    for _ in 0..9 {
        hub.accrue(partner, id, MOST).await;
    }
    hub.accrue(partner, id, REST).await;
}

pub(super) async fn accruals<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    let frozen = hub.member(&scene.airline, scene.miles, "frozen").await;
    freeze(hub, frozen).await;
    fill(hub, &scene.airline, scene.flyer).await;
    let nobody = MembershipId::new(hub.script.id());
    let over = AccruePoints { expires_at: Some(hub.clock.now()), ..accrual(scene.flyer, "1") };
    let ask = &hub.script;
    let lines = [
        ("none", ask.ask(&caller, accrual(nobody, "1")), Reason::MembershipNotFound),
        ("another's", ask.ask(&caller, accrual(scene.shopper, "1")), Reason::MembershipNotFound),
        ("frozen", ask.ask(&caller, accrual(frozen, "1")), Reason::MembershipInactive),
        ("decimals", ask.ask(&caller, accrual(scene.flyer, "1.5")), Reason::AmountScale),
        ("nothing", ask.ask(&caller, accrual(scene.flyer, "0")), Reason::AmountOutOfRange),
        ("below zero", ask.ask(&caller, accrual(scene.flyer, "-1")), Reason::AmountOutOfRange),
        ("over already", ask.ask(&caller, over), Reason::ValidationFailed),
        ("too many", ask.ask(&caller, accrual(scene.flyer, "1")), Reason::Overflow),
    ];
    let seen = refuse(hub, lines).await;
    thaw(hub, frozen).await;
    seen
}

pub(super) async fn adjustments<S: Store>(hub: &Hub<S>) -> Seen {
    let scene = hub.scene().await;
    let (caller, market) = (till(&scene.airline), till(&scene.market));
    fill(hub, &scene.airline, scene.flyer).await;
    hub.accrue(&scene.market, scene.shopper, "5").await;
    let rich = hub.member(&scene.airline, scene.miles, "many-lots").await;
    let lots: Vec<_> = (0..300)
        .map(|n| {
            let expires_at = Some(hub.clock.now().plus_seconds(9000 + n));
            hub.script.ask(&caller, AccruePoints { expires_at, ..accrual(rich, "1") })
        })
        .collect();
    assert!(hub.run(&lots).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    let nobody = MembershipId::new(hub.script.id());
    let ask = &hub.script;
    let lines = [
        ("none", ask.ask(&caller, adjustment(nobody, "1")), Reason::MembershipNotFound),
        ("another's", ask.ask(&caller, adjustment(scene.shopper, "1")), Reason::MembershipNotFound),
        ("decimals", ask.ask(&caller, adjustment(scene.flyer, "0.1")), Reason::AmountScale),
        ("nothing", ask.ask(&caller, adjustment(scene.flyer, "0")), Reason::AmountOutOfRange),
        ("more than there is", ask.ask(&market, adjustment(scene.shopper, "-6")), Reason::InsufficientPoints),
        ("257 lots", ask.ask(&caller, adjustment(rich, "-257")), Reason::TooManyLots),
        ("too many", ask.ask(&caller, adjustment(scene.flyer, "1")), Reason::Overflow),
    ];
    refuse(hub, lines).await
}
