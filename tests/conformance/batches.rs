//! Promises about batches: one transaction, each command seeing the ones before it, none sinking its neighbours.

use pointbridge_core::command::{Answer, CommitExchange};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::{Changes, FactQuery, Footprint};
use pointbridge_store::{Scope, Store, StoreError};
use pointbridge_tests::hub::{Hub, accrual, preparation};
use pointbridge_tests::scene::company;
use pointbridge_tests::script::{operator, run_once, till};

use crate::bench::count;

promises! {
    of_a_hundred_prepares_exactly_those_pass_that_the_account_covers
    commands_see_what_earlier_ones_of_their_batch_did
    a_refused_command_does_not_sink_its_neighbours
    a_commit_in_the_batch_of_its_prepare_credits_the_whole_account
    one_transaction_writes_all_or_nothing
    what_does_not_exist_is_missing_from_facts_and_world
}

async fn of_a_hundred_prepares_exactly_those_pass_that_the_account_covers<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "60").await;
    let mut batch = Vec::new();
    for _ in 0..100 {
        let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
        batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
    }
    let answers = run_once(&hub.store, &batch).await.unwrap();
    assert_eq!(count(&answers, Reason::InsufficientPoints), (60, 40));
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held, account.live_holds), (60, 60, 60));
}

async fn commands_see_what_earlier_ones_of_their_batch_did<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let claims = hub.quote(&scene.airline, scene.wish("70")).await.unwrap();
    let caller = till(&scene.airline);
    let batch = [
        hub.script.ask(&caller, preparation(claims.clone())),
        hub.script.ask(&caller, accrual(scene.flyer, "40")),
        hub.script.ask(&caller, accrual(scene.flyer, "30")),
        hub.script.ask(&caller, preparation(claims.clone())),
        hub.script.ask(&caller, preparation(claims)),
    ];
    let answers = run_once(&hub.store, &batch).await.unwrap();
    let reasons: Vec<Option<Reason>> = answers
        .iter()
        .map(|answer| match answer {
            Answer::Refused(rejection) => Some(rejection.reason),
            _ => None,
        })
        .collect();
    let expected = [Some(Reason::InsufficientPoints), None, None, None, Some(Reason::QuoteUsed)];
    assert_eq!(reasons, expected);
}

async fn a_refused_command_does_not_sink_its_neighbours<S: Store>(hub: &Hub<S>) {
    let first = hub.script.ask(&operator(), company("airline"));
    let twin = hub.script.ask(&operator(), company("airline"));
    let last = hub.script.ask(&operator(), company("market"));
    let answers = run_once(&hub.store, &[first, twin, last]).await.unwrap();
    assert_eq!(count(&answers, Reason::PartnerExists), (2, 1));
    assert!(matches!(answers[1], Answer::Refused(_)));
    for code in ["airline", "market"] {
        let code = pointbridge_tests::hub::code(code);
        assert!(hub.store.partner(&Scope::All, &code).await.unwrap().is_some(), "{code}");
    }
}

/// The destination's account is named by facts that did not exist when the batch began.
async fn a_commit_in_the_batch_of_its_prepare_credits_the_whole_account<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "10").await;
    hub.accrue(&scene.market, scene.shopper, "5").await;
    let claims = hub.quote(&scene.airline, scene.wish("10")).await.unwrap();
    let exchange_id = claims.exchange_id;
    let caller = till(&scene.airline);
    let batch = [
        hub.script.ask(&caller, preparation(claims)),
        hub.script.ask(&caller, CommitExchange { exchange_id }),
    ];
    let answers = hub.run(&batch).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))), "{answers:?}");
    let (account, _) = hub.store.balance(&Scope::All, scene.shopper).await.unwrap().unwrap();
    assert_eq!((account.posted, account.postings), (15, 2));
    let (view, _) = hub.store.exchange(&Scope::All, exchange_id).await.unwrap().unwrap();
    let (exchange, window) = (view.exchange, view.window_id);
    assert_eq!(exchange.state, ReservationState::Committed);
    assert!(window.is_some());
}

async fn one_transaction_writes_all_or_nothing<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let before = hub.rows().await;
    let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "10"));
    let facts = {
        let mut query = FactQuery::default();
        envelope.command.resolve(&envelope.context, &mut query);
        hub.store.facts(&query).await.unwrap()
    };
    let mut footprint = Footprint::default();
    envelope.footprint(&facts, &mut footprint);
    let refused = hub
        .store
        .transact(&footprint, |mut world| {
            world.facts = facts.clone();
            let batch = [std::sync::Arc::clone(&envelope)];
            let (mut changes, _) = pointbridge_core::command::decide_batch(&mut world, &batch);
            for account in changes.accounts.values_mut() {
                account.held = account.posted + 1;
            }
            (changes, ())
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
    assert_eq!(hub.rows().await, before);
}

async fn what_does_not_exist_is_missing_from_facts_and_world<S: Store>(hub: &Hub<S>) {
    let scene = hub.scene().await;
    let known = pointbridge_core::ids::MembershipId::new(hub.script.id());
    let mut query = FactQuery::default();
    query.memberships.extend([scene.flyer, known]);
    query.exchanges.insert(pointbridge_core::ids::ExchangeId::new(hub.script.id()));
    query.link_codes.insert([9; 32]);
    let facts = hub.store.facts(&query).await.unwrap();
    assert_eq!(facts.memberships.keys().copied().collect::<Vec<_>>(), [scene.flyer]);
    assert_eq!(facts.memberships[&scene.flyer].program_id, scene.miles);
    assert!(facts.exchanges.is_empty() && facts.link_codes.is_empty());

    let mut footprint = Footprint::default();
    footprint.account(known, pointbridge_core::world::AccountNeed::Lots);
    footprint.membership(known, pointbridge_core::world::Lock::Update);
    footprint.families.insert(scene.shopper);
    footprint.initiators.insert(scene.airline.clone());
    let world = hub.store.transact(&footprint, |world| (Changes::default(), world)).await.unwrap();
    assert_eq!(world.memberships.len(), 2, "the family, and not the stranger");
    assert!(world.accounts.is_empty() && world.live_holds.is_empty() && world.exchanges.is_empty());
    assert!(world.partners.is_empty() && world.programs.is_empty(), "what was not named is not loaded");
}
