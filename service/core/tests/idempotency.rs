//! A request id is answered the same for ever.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::sync::Arc;

use fixture::attempt::{self, Attempt};
use fixture::credentials;
use fixture::refusal::{drain, freeze_all, suspend};
use fixture::{Scene, entered, id, reason};
use pointbridge_core::command::{AccruePoints, Answer, Command, Envelope, PrepareExchange, decide_batch};
use pointbridge_core::record::{Record, SealedRecord};
use pointbridge_core::rejection::Reason;
use pointbridge_core::world::World;

/// Sends an attempt for real and gives the world after it with the record of its answer.
fn sent<C: Command + Clone + 'static>(attempt: &Attempt<C>) -> (World, Arc<Record>) {
    let mut world = attempt.scene.world.clone();
    let (_, answers) = decide_batch(&mut world, &[attempt.envelope(false)]);
    match &answers[0] {
        Answer::Done(record) => (world, Arc::clone(record)),
        other => panic!("{}: {other:?}", attempt.command.method()),
    }
}

/// Sends an attempt again in a world and gives its answer; a replay writes nothing.
fn again<C: Command + Clone + 'static>(attempt: &Attempt<C>, world: &World) -> Answer {
    let mut world = world.clone();
    let (changes, mut answers) = decide_batch(&mut world, &[attempt.envelope(false)]);
    let answer = answers.remove(0);
    assert!(changes.is_empty(), "{}: a replay writes {changes:?}", attempt.command.method());
    answer
}

fn replays<C: Command + Clone + 'static>(attempt: &Attempt<C>) {
    let (mut world, record) = sent(attempt);
    assert_eq!(again(attempt, &world), Answer::Done(Arc::clone(&record)), "{}", attempt.command.method());
    world.now = world.now.plus_seconds(400 * 86_400);
    assert_eq!(again(attempt, &world), Answer::Done(record), "{} much later", attempt.command.method());
}

#[test]
fn every_method_answers_a_replay_with_the_record_of_then() {
    replays(&attempt::create_partner());
    replays(&attempt::update_partner());
    replays(&attempt::create_program());
    replays(&attempt::update_program());
    replays(&attempt::propose_agreement());
    replays(&attempt::accept_agreement());
    replays(&attempt::register_membership());
    replays(&attempt::issue_link_code());
    replays(&attempt::merge_members());
    replays(&attempt::grant_consent());
    replays(&attempt::withdraw_consent());
    replays(&attempt::accrue_points());
    replays(&attempt::adjust_points());
    replays(&attempt::prepare_exchange());
    replays(&attempt::commit_exchange());
    replays(&attempt::abort_exchange());
    replays(&attempt::reverse_exchange());
    replays(&credentials::suspend_partner());
    replays(&credentials::resume_partner());
    replays(&credentials::approve());
    replays(&credentials::approve_correction());
    replays(&credentials::reject());
    replays(&credentials::add_certificate());
    replays(&credentials::revoke_certificate());
    replays(&credentials::register_signing_key());
}

#[test]
fn another_body_under_the_same_id_is_refused() {
    let lines: [fn(&mut AccruePoints); 4] = [
        |c| c.amount = entered("251"),
        |c| c.reason = reason("GIFT"),
        |c| c.reference = fixture::reference("receipt-2"),
        |c| c.expires_at = Some(fixture::at("2030-01-01T00:00:00.000000Z")),
    ];
    let attempt = attempt::accrue_points();
    let (world, _) = sent(&attempt);
    for (line, spoil) in lines.into_iter().enumerate() {
        let mut other = attempt.clone();
        spoil(&mut other.command);
        let answer = again(&other, &world);
        let reused = matches!(&answer, Answer::Refused(r) if r.reason == Reason::RequestIdReused);
        assert!(reused, "line {line}: {answer:?}");
    }
}

#[test]
fn one_amount_written_in_two_ways_is_one_body() {
    let mut attempt = attempt::accrue_points();
    attempt.command.amount = entered("1.0");
    let (world, record) = sent(&attempt);
    for (text, same) in [("1", true), ("1.00", true), ("01.0", true), ("1.01", false), ("10", false)] {
        attempt.command.amount = entered(text);
        let answer = again(&attempt, &world);
        assert_eq!(answer == Answer::Done(Arc::clone(&record)), same, "{text}: {answer:?}");
    }
}

#[test]
fn the_body_does_not_hold_what_is_no_part_of_the_question() {
    let attempt = attempt::prepare_exchange();
    let hash = |envelope: Arc<Envelope>| envelope.request.clone().unwrap().1;
    assert_eq!(hash(attempt.envelope(false)), hash(attempt.envelope(true)), "validate_only");
    let mut other = attempt.clone();
    other.request_id = id(903);
    assert_eq!(hash(attempt.envelope(false)), hash(other.envelope(false)), "the request id");
    let body = String::from_utf8(attempt.command.body().unwrap()).unwrap();
    assert!(!body.contains("request_id") && !body.contains("validate_only"), "{body}");
    let mut unreadable = attempt.clone();
    unreadable.command.claims = None;
    assert_eq!(hash(attempt.envelope(false)), hash(unreadable.envelope(false)), "what the token holds");
}

#[test]
fn the_same_id_of_another_partner_or_method_is_another_request() {
    let mut scene = Scene::with_points();
    let (airline, market) = (scene.airline.clone(), scene.market.clone());
    let request_id = scene.draw();
    let commands = [(airline.clone(), scene.flyer), (market, scene.shopper)];
    let send = |scene: &mut Scene, caller: &_, command: Box<dyn Command>| {
        let context = scene.context(caller);
        let envelope = Envelope::new(context, request_id, false, command).unwrap();
        scene.decide(&[Arc::new(envelope)]).1.remove(0)
    };
    let mut records = std::collections::BTreeSet::new();
    for (caller, membership) in &commands {
        let accrual = Scene::accrual(*membership, "5");
        match send(&mut scene, caller, Box::new(accrual)) {
            Answer::Done(record) => assert!(records.insert(record.record_id)),
            other => panic!("{other:?}"),
        }
    }
    let consent = Scene::consent(scene.flyer, "market");
    let answer = send(&mut scene, &airline, Box::new(consent));
    assert!(matches!(&answer, Answer::Done(record) if records.insert(record.record_id)), "{answer:?}");
    assert_eq!(records.len(), 3);
}

#[test]
fn another_subject_of_the_same_partner_retries_the_same_request() {
    let mut attempt = attempt::accrue_points();
    let (world, record) = sent(&attempt);
    attempt.caller.principal = "partner/airline/partner/till-8".to_owned();
    assert_eq!(again(&attempt, &world), Answer::Done(record));
}

/// Whatever would be refused afresh by now, the replay is answered as it was.
#[test]
fn a_replay_wins_over_every_other_check() {
    type Bend = fn(&mut Attempt<PrepareExchange>, &mut Scene);
    let lines: [(&str, Bend); 9] = [
        ("the caller was suspended", |_, scene| suspend(scene, "airline")),
        ("the caller is gone", |_, scene| drop(scene.world.partners.remove(&fixture::code("airline")))),
        ("the other partner was suspended", |_, scene| suspend(scene, "market")),
        ("the token can no longer be opened", |attempt, _| attempt.command.claims = None),
        ("the store was restored", |_, scene| scene.world.epoch += 1),
        ("the quote is over", |_, scene| scene.tick(86_400)),
        ("memberships were frozen", |_, scene| freeze_all(scene)),
        ("consents were withdrawn", |_, scene| scene.world.consents.clear()),
        ("the points are gone", |_, scene| drain(scene)),
    ];
    for (line, bend) in lines {
        let mut attempt = attempt::prepare_exchange();
        let (world, record) = sent(&attempt);
        let mut scene = attempt.scene.clone();
        scene.world = world;
        bend(&mut attempt, &mut scene);
        assert_eq!(again(&attempt, &scene.world), Answer::Done(record), "{line}");
        attempt.request_id = id(904);
        let afresh = again(&attempt, &scene.world);
        assert!(matches!(afresh, Answer::Refused(_)), "{line}: a new request is refused: {afresh:?}");
    }
}

#[test]
fn a_refusal_is_decided_afresh() {
    let mut attempt = attempt::accrue_points();
    suspend(&mut attempt.scene, "airline");
    let (changes, answer) = attempt.decide(false);
    assert!(changes.requests.is_empty() && matches!(answer, Answer::Refused(_)), "{answer:?}");
    attempt.scene.world.partners = attempt::accrue_points().scene.world.partners;
    sent(&attempt);
}

#[test]
fn a_commit_under_a_new_id_keeps_the_answer_of_the_first() {
    let attempt = attempt::commit_exchange();
    let (mut world, record) = sent(&attempt);
    let mut second = attempt.clone();
    second.request_id = id(905);
    let (changes, answers) = decide_batch(&mut world, &[second.envelope(false)]);
    assert_eq!(answers, [Answer::Done(Arc::clone(&record))]);
    assert!(changes.records.is_empty(), "no second record");
    assert_eq!(changes.requests[0].record, record, "the new request id is answered with it for ever");
    assert_eq!(again(&second, &world), Answer::Done(record));
}

#[test]
fn a_batch_answers_a_request_that_stands_in_it_twice_once() {
    let attempt = attempt::accrue_points();
    let mut world = attempt.scene.world.clone();
    let (changes, answers) = decide_batch(&mut world, &[attempt.envelope(false), attempt.envelope(false)]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!((changes.records.len(), changes.requests.len()), (1, 1));
    assert_eq!(world.account(attempt.scene.flyer).unwrap().posted, 10_250);
}

/// A replay is rebuilt from the record's bytes alone.
#[test]
fn the_bytes_of_the_answer_are_the_answer() {
    let attempt = attempt::commit_exchange();
    let (changes, answer) = attempt.decide(false);
    let SealedRecord { bytes, .. } = changes.records.last().unwrap();
    assert_eq!(answer, Answer::Done(Arc::new(Record::from_bytes(bytes).unwrap())));
}
