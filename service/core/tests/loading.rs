//! What a command decides on what was loaded for it: what its footprint names, and what its batch did before.
//!
//! Where that is not enough it asks to be decided again, changes nothing that was not due anyway, and comes to its end on
//! a fresh load.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::collections::BTreeSet;
use std::sync::Arc;

use fixture::attempt::{self, Attempt};
use fixture::credentials;
use fixture::{Scene, agreement_of, books, id, reason, terms};
use pointbridge_core::command::{
    AbortExchange, AcceptAgreement, AdjustPoints, Answer, Command, CommitExchange, Envelope, decide_batch,
};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ledger::{LOTS_PER_COMMAND_MAX, Lot, LotKey, LotSet};
use pointbridge_core::record::{Record, RecordKind};
use pointbridge_core::rejection::Reason;
use pointbridge_core::time::Expiry;
use pointbridge_core::world::Changes;

fn done(answer: &Answer) -> &Arc<Record> {
    match answer {
        Answer::Done(record) => record,
        other => panic!("expected to be done: {other:?}"),
    }
}

fn is_refused(answer: &Answer, reason: Reason) -> bool {
    matches!(answer, Answer::Refused(rejection) if rejection.reason == reason)
}

fn same_on_what_is_shown<C: Command + Clone + 'static>(attempt: &Attempt<C>) {
    let batch = [attempt.envelope(false)];
    let (expected, answer) = attempt.decide(false);
    let (changes, answers) = decide_batch(&mut attempt.scene.shown(&batch), &batch);
    assert_eq!(answers, [answer], "{}", attempt.command.method());
    assert_eq!(changes, expected, "{}", attempt.command.method());
    done(&answers[0]);
}

#[test]
fn a_footprint_names_all_that_its_decision_needs() {
    same_on_what_is_shown(&attempt::create_partner());
    same_on_what_is_shown(&attempt::update_partner());
    same_on_what_is_shown(&attempt::create_program());
    same_on_what_is_shown(&attempt::update_program());
    same_on_what_is_shown(&attempt::propose_agreement());
    same_on_what_is_shown(&attempt::accept_agreement());
    same_on_what_is_shown(&attempt::register_membership());
    same_on_what_is_shown(&attempt::issue_link_code());
    same_on_what_is_shown(&attempt::merge_members());
    same_on_what_is_shown(&attempt::grant_consent());
    same_on_what_is_shown(&attempt::withdraw_consent());
    same_on_what_is_shown(&attempt::accrue_points());
    same_on_what_is_shown(&attempt::adjust_points());
    same_on_what_is_shown(&attempt::prepare_exchange());
    same_on_what_is_shown(&attempt::commit_exchange());
    same_on_what_is_shown(&attempt::abort_exchange());
    same_on_what_is_shown(&attempt::reverse_exchange());
    same_on_what_is_shown(&credentials::suspend_partner());
    same_on_what_is_shown(&credentials::resume_partner());
    same_on_what_is_shown(&credentials::approve());
    same_on_what_is_shown(&credentials::approve_correction());
    same_on_what_is_shown(&credentials::reject());
    same_on_what_is_shown(&credentials::add_certificate());
    same_on_what_is_shown(&credentials::revoke_certificate());
    same_on_what_is_shown(&credentials::register_signing_key());
}

/// An exchange is never ended on accounts, counts or debts that are made up because they were not loaded.
#[test]
fn an_end_without_what_it_touches_is_decided_again_and_changes_nothing() {
    type Forget = fn(&mut Scene);
    let lines: [(&str, Forget); 6] = [
        ("the destination's account", |scene| scene.world.accounts.retain(|id, _| *id != scene.shopper)),
        ("the source's account", |scene| scene.world.accounts.retain(|id, _| *id != scene.flyer)),
        ("the destination's program", |scene| drop(scene.world.programs.remove(&scene.points))),
        ("the source's program", |scene| drop(scene.world.programs.remove(&scene.miles))),
        ("the count of live holds", |scene| scene.world.live_holds.clear()),
        ("what the pair owes", |scene| scene.world.exposures.clear()),
    ];
    for (line, forget) in lines {
        let (mut commit, mut abort) = (attempt::commit_exchange(), attempt::abort_exchange());
        forget(&mut commit.scene);
        forget(&mut abort.scene);
        for validate_only in [false, true] {
            let expected = (Changes::default(), Answer::Rerun);
            assert_eq!(commit.decide(validate_only), expected, "a commit without {line}");
            assert_eq!(abort.decide(validate_only), expected, "an abort without {line}");
        }
    }
}

#[test]
fn a_commit_goes_on_from_the_balance_and_number_that_the_next_load_finds() {
    let mut attempt = attempt::commit_exchange();
    let shopper = attempt.scene.shopper;
    let account = attempt.scene.world.accounts.remove(&shopper).unwrap();
    assert_eq!((account.posted, account.postings), (10_000, 1));
    assert_eq!(attempt.decide(false).1, Answer::Rerun);
    attempt.scene.world.accounts.insert(shopper, account);
    let (changes, answer) = attempt.decide(false);
    let record = done(&answer);
    let arrived = record.postings.iter().filter_map(|posting| posting.member.as_ref());
    let arrived = arrived.clone().find(|member| member.membership_id == shopper).unwrap();
    assert_eq!((arrived.sequence, arrived.balance_after.minor()), (2, 10_661));
    let after = *changes.accounts.get(&shopper).unwrap();
    assert_eq!((after.posted, after.postings, after.held), (10_661, 2, 0));
}

/// The exchange did not exist when the batch was loaded, so that nobody knew whose account its points go to.
#[test]
fn an_exchange_that_is_ended_in_the_batch_that_prepares_it_ends_right_on_a_fresh_load() {
    for (ends_by, state) in [("commit", ReservationState::Committed), ("abort", ReservationState::Aborted)] {
        let mut scene = Scene::with_points();
        let airline = scene.airline.clone();
        let claims = scene.claims(scene.flyer, scene.shopper, 1000);
        let exchange_id = claims.exchange_id;
        let prepare = scene.envelope(&airline, Scene::prepare(claims));
        let end = match ends_by {
            "commit" => scene.envelope(&airline, CommitExchange { exchange_id }),
            _ => scene.envelope(&airline, AbortExchange { exchange_id, reason: reason("CANCELLED") }),
        };
        let (changes, answers) = scene.transact(&[prepare, Arc::clone(&end)]);
        assert_eq!(done(&answers[0]).kind, RecordKind::ExchangePrepared);
        assert_eq!(answers[1], Answer::Rerun, "{ends_by}");
        assert_eq!((changes.records.len(), changes.requests.len(), changes.ended.len()), (1, 1, 0));
        books::check(&scene);
        let (_, answers) = scene.transact(&[end]);
        assert_eq!(done(&answers[0]).exchange().unwrap().state, state);
        books::check(&scene);
        let arrived = if ends_by == "commit" { (10_661, 2) } else { (10_000, 1) };
        let account = scene.world.account(scene.shopper).unwrap();
        assert_eq!((account.posted, account.postings), arrived, "{ends_by}");
    }
}

/// Neighbours that name the same accounts are enough: the exposure and the count came with the prepare.
#[test]
fn an_exchange_ends_in_the_batch_that_prepares_it_where_its_neighbours_loaded_the_rest() {
    let mut scene = Scene::with_points();
    let (airline, market) = (scene.airline.clone(), scene.market.clone());
    let claims = scene.claims(scene.flyer, scene.shopper, 1000);
    let exchange_id = claims.exchange_id;
    let batch = [
        scene.envelope(&market, Scene::accrual(scene.shopper, "39")),
        scene.envelope(&airline, Scene::prepare(claims)),
        scene.envelope(&airline, CommitExchange { exchange_id }),
    ];
    let (changes, answers) = scene.transact(&batch);
    assert_eq!(
        answers.iter().map(|answer| done(answer).kind).collect::<Vec<_>>(),
        [RecordKind::PointsAccrued, RecordKind::ExchangePrepared, RecordKind::ExchangeCommitted]
    );
    assert_eq!(changes.accounts.get(&scene.shopper).unwrap().posted, 10_000 + 39 + 661);
    assert_eq!(changes.ended.get(&exchange_id).unwrap().state, ReservationState::Committed);
    books::check(&scene);
}

#[test]
fn an_exchange_that_has_ended_is_answered_without_anything_that_it_touched() {
    let mut attempt = attempt::commit_exchange();
    let (changes, answer) = attempt.decide(false);
    attempt.scene.world.apply(&changes);
    attempt.request_id = id(907);
    for forgotten in [
        |scene: &mut Scene| scene.world.accounts.clear(),
        |scene: &mut Scene| scene.world.live_holds.clear(),
        |scene: &mut Scene| scene.world.exposures.clear(),
    ] {
        forgotten(&mut attempt.scene);
        let (changes, again) = attempt.decide(false);
        assert_eq!(again, answer);
        assert!(changes.records.is_empty() && changes.accounts.is_empty());
    }
}

#[test]
fn a_version_is_proposed_and_accepted_in_one_batch() {
    let mut scene = Scene::new();
    let (market, baby) = (scene.market.clone(), scene.baby.clone());
    let directions = vec![terms::direction(scene.points, scene.drops, (1, 1))];
    let propose = scene.envelope(&market, terms::proposal("baby", directions));
    // What the proposal will make is known beforehand, because all of it follows from its seed.
    let rehearsal = decide_batch(&mut scene.shown(&[Arc::clone(&propose)]), &[Arc::clone(&propose)]).1;
    let (agreement, version) = agreement_of(done(&rehearsal[0]));
    let accept = AcceptAgreement {
        agreement_id: agreement.agreement_id,
        version: version.version,
        terms_hash: version.terms_hash,
    };
    let accept = scene.envelope(&baby, accept);
    let (changes, answers) = scene.transact(&[propose, accept]);
    assert_eq!(done(&answers[0]).kind, RecordKind::AgreementProposed);
    let (accepted, _) = agreement_of(done(&answers[1]));
    assert_eq!((accepted.active_version, accepted.pending_version), (Some(1), None));
    assert_eq!(changes.agreements[&accepted.pair], accepted, "the last state is written");
    assert_eq!(scene.world.facts.agreements.get(&accepted.agreement_id), Some(&accepted.pair));
}

/// An account whose 10,000 points lie in `count` lots of equal size, each over a second after the one before, the first a
/// second from now. What a store has stored: every lot.
fn in_lots(scene: &mut Scene, count: u32) {
    let now = scene.world.now;
    let one = 10_000 / i64::from(count);
    let posted = one * i64::from(count);
    let key = |second| LotKey {
        expiry: Expiry::At(now.plus_seconds(second)),
        origin: now.month(),
        exchangeable: true,
    };
    let lots = (1..=count).map(|second| (key(second), Lot { remaining: one, held: 0 })).collect();
    scene.world.accounts.get_mut(&scene.flyer).unwrap().posted = posted;
    scene.world.lots.insert(scene.flyer, LotSet { lots, complete: true, changed: false });
}

fn prepare_of(scene: &mut Scene, minor: i64) -> Arc<Envelope> {
    let airline = scene.airline.clone();
    let claims = scene.claims(scene.flyer, scene.shopper, minor);
    scene.envelope(&airline, Scene::prepare(claims))
}

fn adjust_of(scene: &mut Scene, amount: &str) -> Arc<Envelope> {
    let airline = scene.airline.clone();
    let command = AdjustPoints {
        membership_id: scene.flyer,
        amount: fixture::entered(amount),
        reason: reason("CORRECTION"),
        reference: fixture::reference("ticket-4"),
    };
    scene.envelope(&airline, command)
}

#[test]
fn more_lots_than_one_command_may_touch_are_refused() {
    let most = i64::try_from(LOTS_PER_COMMAND_MAX).unwrap() * 10;
    for (minor, fits) in [(most, true), (most + 1, false), (10_000, false)] {
        let mut scene = Scene::with_points();
        in_lots(&mut scene, 1000);
        for envelope in [prepare_of(&mut scene, minor), adjust_of(&mut scene, &format!("-{minor}"))] {
            let mut world = scene.shown(&[Arc::clone(&envelope)]);
            assert!(!world.lots[&scene.flyer].complete, "a store shows no more than a command may touch");
            let (changes, answers) = decide_batch(&mut world, &[envelope]);
            assert_eq!(!fits, is_refused(&answers[0], Reason::TooManyLots), "{minor}: {answers:?}");
            assert_eq!(fits, !changes.is_empty(), "{minor}");
        }
    }
}

#[test]
fn what_earlier_commands_of_the_batch_used_up_is_loaded_again() {
    type Second = fn(&mut Scene) -> Arc<Envelope>;
    let lines: [(&str, Second); 2] =
        [("prepare", |scene| prepare_of(scene, 1000)), ("adjust", |scene| adjust_of(scene, "-1000"))];
    for (line, second) in lines {
        let mut scene = Scene::with_points();
        in_lots(&mut scene, 1000);
        let batch = [prepare_of(&mut scene, 2000), second(&mut scene)];
        let (changes, answers) = scene.transact(&batch);
        assert_eq!(done(&answers[0]).lots.len(), 200, "{line}");
        assert_eq!(answers[1], Answer::Rerun, "{line}: 56 lots of 10 are left of what was loaded");
        assert_eq!(changes.records.len(), 1, "{line}: the second did nothing");
        let (_, answers) = scene.transact(&batch[1..]);
        let lots = &done(&answers[0]).lots;
        assert_eq!(lots.len(), 100, "{line}");
        let first = lots.iter().map(|lot| lot.expires_at.unwrap()).min().unwrap();
        assert_eq!(first, scene.world.now.plus_seconds(201), "{line}: the lots after those that were taken");
    }
}

/// More is over than one command may touch, and nothing that was loaded can be spent.
fn with_much_that_is_over(minor: i64) -> Attempt<pointbridge_core::command::PrepareExchange> {
    let mut attempt = attempt::prepare_exchange();
    in_lots(&mut attempt.scene, 1000);
    attempt.scene.tick(900);
    let now = attempt.scene.world.now;
    let claims = attempt.command.claims.as_mut().unwrap();
    (claims.source_minor, claims.expires_at) = (minor, now.plus_seconds(1));
    attempt
}

/// The answers on one load after the other, until there is one that stands.
fn until_it_stands(scene: &mut Scene, envelope: &Arc<Envelope>) -> Vec<(Changes, Answer)> {
    let mut rounds = Vec::new();
    for _ in 0..10 {
        let (changes, mut answers) = scene.transact(&[Arc::clone(envelope)]);
        rounds.push((changes, answers.remove(0)));
        if rounds.last().unwrap().1 != Answer::Rerun {
            return rounds;
        }
    }
    panic!("no end after ten loads: {:?}", rounds.last());
}

#[test]
fn a_dry_run_on_an_account_with_many_lots_that_are_over_ends() {
    for (minor, fits) in [(1000, true), (1001, false)] {
        let mut dry = with_much_that_is_over(minor);
        let envelope = dry.envelope(true);
        let rounds = until_it_stands(&mut dry.scene, &envelope);
        let (last, reruns) = rounds.split_last().unwrap();
        assert_eq!(reruns.len(), 3, "of 900 lots that are over, 768 go before what can be spent is seen");
        for (changes, _) in reruns {
            assert_eq!(changes.records.len(), 1, "what is over is written off, which is what time asks for");
            assert_eq!(changes.records[0].record.kind, RecordKind::PointsExpired);
            assert!(changes.requests.is_empty() && changes.prepared.is_empty());
        }
        let ids: BTreeSet<_> =
            reruns.iter().map(|(changes, _)| changes.records[0].record.record_id).collect();
        assert_eq!(ids.len(), reruns.len(), "a record of its own for each round");
        assert!(last.0.is_empty(), "the dry run itself writes nothing: {:?}", last.0);
        assert_eq!(dry.scene.world.account(dry.scene.flyer).unwrap().posted, 10_000 - 7_680);
        let mut wet = with_much_that_is_over(minor);
        let envelope = wet.envelope(false);
        let wet = until_it_stands(&mut wet.scene, &envelope);
        assert_eq!(last.1, wet.last().unwrap().1, "the answer of the real run");
        assert_eq!(wet.len(), rounds.len());
        match &last.1 {
            Answer::Done(record) => assert_eq!((record.lots.len(), fits), (100, true)),
            other => assert!(!fits && is_refused(other, Reason::InsufficientPoints), "{other:?}"),
        }
    }
}

/// The world that the batch decides on may be incomplete from the start, whoever loaded it.
#[test]
fn a_part_of_the_lots_is_not_taken_for_all() {
    for (changed, complete, expected) in [
        (false, false, Some(Reason::TooManyLots)),
        (true, false, None),
        (false, true, Some(Reason::InsufficientPoints)),
        (true, true, Some(Reason::InsufficientPoints)),
    ] {
        let mut attempt = attempt::prepare_exchange();
        attempt.request_id = id(906);
        let set = attempt.scene.world.lots.get_mut(&attempt.scene.flyer).unwrap();
        set.lots.values_mut().for_each(|lot| lot.remaining = 999);
        (set.changed, set.complete) = (changed, complete);
        let (changes, answer) = attempt.decide(false);
        let fits = match expected {
            Some(reason) => is_refused(&answer, reason),
            None => answer == Answer::Rerun,
        };
        assert!(fits && changes.is_empty(), "changed: {changed}, complete: {complete}: {answer:?}");
    }
}

#[test]
fn a_quote_for_memberships_that_the_store_does_not_know_is_refused_and_not_fatal() {
    let unknown = pointbridge_core::ids::MembershipId::new(id(0xdead));
    for bend in [0, 1] {
        let mut scene = Scene::with_points();
        let mut claims = scene.claims(scene.flyer, scene.shopper, 100);
        *(if bend == 0 { &mut claims.source } else { &mut claims.destination }) = unknown;
        let airline = scene.airline.clone();
        let answer = scene.send(&airline, Scene::prepare(claims));
        assert!(is_refused(&answer, Reason::QuoteInvalid), "{answer:?}");
    }
}

#[test]
fn what_time_brings_is_the_hubs_doing_whoever_comes_across_it() {
    let mut scene = Scene::with_points();
    let over = scene.prepared(9_000);
    scene.tick(3_600);
    scene.world.overdue.entry(scene.flyer).or_default().insert(over.exchange_id);
    let claims = scene.claims(scene.flyer, scene.shopper, 9_000);
    let airline = scene.airline.clone();
    let envelope = scene.envelope(&airline, Scene::prepare(claims));
    let (changes, answers) = scene.decide(&[envelope]);
    assert_eq!(done(&answers[0]).who, airline.principal);
    let expired = changes.records.iter().find(|sealed| sealed.record.kind == RecordKind::ExchangeExpired);
    assert_eq!(expired.unwrap().record.who, "hub/sweeper");
}
