//! The promise that everything that can be done leaves one record, and shows in what is read next.

use std::collections::BTreeMap;

use pointbridge_core::command::{
    AccruePoints, AdjustPoints, RegisterMembership, UpdatePartner, UpdateProgram, WithdrawConsent,
};
use pointbridge_core::text::DisplayName;
use pointbridge_store::{AuditRow, MembershipName, Scope, Store};
use pointbridge_tests::hub::{Hub, accrual, entered, reason, reference};
use pointbridge_tests::script::{operator, till};

promises! {
    everything_that_is_done_leaves_one_record
    what_is_written_is_read_next
}

/// How many records there are of each kind.
async fn kinds<S: Store>(hub: &Hub<S>) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for row in hub.rows().await {
        if let AuditRow::Record { kind, .. } = row {
            *kinds.entry(kind).or_default() += 1;
        }
    }
    kinds
}

async fn everything_that_is_done_leaves_one_record<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let caller = till(&scene.airline);
    hub.does(&operator(), UpdatePartner { code: scene.airline.clone(), name: None }).await;
    let update = UpdateProgram { program_id: scene.miles, name: None, points_expiry_months: Some(24) };
    hub.does(&caller, update).await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    for amount in ["-10", "20"] {
        let amount = entered(amount);
        let (reason, reference) = (reason("CORRECTION"), reference("case-1"));
        hub.does(&caller, AdjustPoints { membership_id: scene.flyer, amount, reason, reference }).await;
    }
    let exchange = hub.prepare(&scene.airline, scene.wish("1")).await;
    hub.commit(&scene.airline, exchange).await;
    hub.reverse(&scene.market, exchange, None).await;
    let exchange = hub.prepare(&scene.airline, scene.wish("1")).await;
    hub.abort(&scene.airline, exchange).await;
    hub.prepare(&scene.airline, scene.wish("1")).await;
    let consent_id = hub.consent(&scene.airline, scene.flyer, &scene.market).await;
    hub.does(&caller, WithdrawConsent { consent_id, reason: reason("MEMBER_ASKED") }).await;
    let short =
        AccruePoints { expires_at: Some(hub.clock.now().plus_seconds(1)), ..accrual(scene.flyer, "1") };
    hub.does(&caller, short).await;
    hub.clock.move_by(300);
    hub.sweep().await;
    let expected = [
        ("AGREEMENT_ACCEPTED", 1),
        ("AGREEMENT_PROPOSED", 1),
        ("CONSENT_GRANTED", 3),
        ("CONSENT_WITHDRAWN", 1),
        ("EXCHANGE_ABORTED", 1),
        ("EXCHANGE_COMMITTED", 1),
        ("EXCHANGE_EXPIRED", 1),
        ("EXCHANGE_PREPARED", 3),
        ("EXCHANGE_REVERSED", 1),
        ("LINK_CODE_ISSUED", 1),
        ("MEMBERSHIP_REGISTERED", 2),
        ("MEMBERS_MERGED", 1),
        ("PARTNER_CREATED", 2),
        ("PARTNER_UPDATED", 1),
        ("POINTS_ACCRUED", 2),
        ("POINTS_ADJUSTED", 2),
        ("POINTS_EXPIRED", 1),
        ("PROGRAM_CREATED", 2),
        ("PROGRAM_UPDATED", 1),
    ];
    let expected: BTreeMap<String, usize> = expected.map(|(kind, n)| (kind.to_owned(), n)).into();
    assert_eq!(kinds(hub).await, expected);
}

async fn what_is_written_is_read_next<S: Store>(hub: &Hub<S>) {
    let scene = hub.strangers().await;
    let name = DisplayName::new("蓝天航空").unwrap();
    hub.clock.move_by(1);
    let update = UpdatePartner { code: scene.airline.clone(), name: Some(name.clone()) };
    hub.does(&till(&scene.airline), update).await;
    let partner = hub.store.partner(&Scope::All, &scene.airline).await.unwrap().unwrap();
    assert_eq!((&partner.name, partner.updated_at), (&name, hub.clock.now()));
    assert!(partner.created_at < partner.updated_at);

    let update =
        UpdateProgram { program_id: scene.miles, name: Some(name.clone()), points_expiry_months: Some(24) };
    hub.does(&till(&scene.airline), update).await;
    let program = hub.store.program(&Scope::All, scene.miles).await.unwrap().unwrap();
    assert_eq!((&program.name, program.points_expiry_months), (&name, 24));

    let register = RegisterMembership { program_id: scene.miles, external_reference: reference("flyer-9") };
    hub.does(&till(&scene.airline), register).await;
    let by_name = MembershipName::External(scene.miles, reference("flyer-9"));
    let seen = hub.store.membership(&Scope::All, &by_name).await.unwrap().unwrap();
    assert_eq!(seen.membership.partner, scene.airline);
    assert_eq!(seen.linked, []);
    let balance = hub.store.balance(&Scope::All, seen.membership.membership_id).await.unwrap().unwrap();
    assert_eq!((balance.0.posted, balance.1.program_id), (0, scene.miles));
}
