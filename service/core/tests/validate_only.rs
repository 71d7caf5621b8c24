//! A dry run decides in full and writes nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use fixture::attempt::{self, Attempt};
use fixture::credentials;
use pointbridge_core::command::{Answer, Command, decide_batch};
use pointbridge_core::rejection::Reason;

/// The dry run answers what the real run then answers, and the real run is none the wiser.
fn check<C: Command + Clone + 'static>(attempt: &Attempt<C>) {
    let mut world = attempt.scene.world.clone();
    let untouched = format!("{world:?}");
    let (changes, dry) = decide_batch(&mut world, &[attempt.envelope(true), attempt.envelope(true)]);
    let method = attempt.command.method();
    assert!(changes.is_empty(), "{method}: {changes:?}");
    assert_eq!(format!("{world:?}"), untouched, "{method}: a dry run leaves the world as it is");
    let (changes, wet) = decide_batch(&mut world, &[attempt.envelope(false)]);
    assert!(!changes.is_empty() && changes.requests.len() == 1, "{method}");
    assert!(matches!(wet[0], Answer::Done(_)), "{method}: {wet:?}");
    assert_eq!(dry, [wet[0].clone(), wet[0].clone()], "{method}: the same answer, dry or not");
}

#[test]
fn every_method_answers_the_same_and_changes_nothing() {
    check(&attempt::create_partner());
    check(&attempt::update_partner());
    check(&attempt::create_program());
    check(&attempt::update_program());
    check(&attempt::propose_agreement());
    check(&attempt::accept_agreement());
    check(&attempt::register_membership());
    check(&attempt::issue_link_code());
    check(&attempt::merge_members());
    check(&attempt::grant_consent());
    check(&attempt::withdraw_consent());
    check(&attempt::accrue_points());
    check(&attempt::adjust_points());
    check(&attempt::prepare_exchange());
    check(&attempt::commit_exchange());
    check(&attempt::abort_exchange());
    check(&attempt::reverse_exchange());
    check(&credentials::suspend_partner());
    check(&credentials::resume_partner());
    check(&credentials::approve());
    check(&credentials::approve_correction());
    check(&credentials::reject());
    check(&credentials::add_certificate());
    check(&credentials::revoke_certificate());
    check(&credentials::register_signing_key());
}

#[test]
fn a_dry_run_after_the_real_one_replays_it() {
    let attempt = attempt::prepare_exchange();
    let mut world = attempt.scene.world.clone();
    let batch = [attempt.envelope(false), attempt.envelope(true)];
    let (changes, answers) = decide_batch(&mut world, &batch);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(changes.requests.len(), 1);
}

#[test]
fn a_dry_run_sees_what_its_batch_did_before() {
    let first = attempt::prepare_exchange();
    let mut second = first.clone();
    second.request_id = fixture::id(902);
    let mut world = first.scene.world.clone();
    let (_, answers) = decide_batch(&mut world, &[first.envelope(false), second.envelope(true)]);
    let used = matches!(&answers[1], Answer::Refused(r) if r.reason == Reason::QuoteUsed);
    assert!(used, "{answers:?}");
}

#[test]
fn a_dry_run_does_not_write_off_what_is_over() {
    let mut attempt = attempt::prepare_exchange();
    attempt.scene.tick(3 * 366 * 86_400);
    let claims = attempt.command.claims.as_mut().unwrap();
    claims.expires_at = attempt.scene.world.now.plus_seconds(1);
    let before = attempt.scene.world.accounts.clone();
    let mut world = attempt.scene.world.clone();
    let (changes, answers) = decide_batch(&mut world, &[attempt.envelope(true)]);
    let short = matches!(&answers[0], Answer::Refused(r) if r.reason == Reason::InsufficientPoints);
    assert!(short && changes.is_empty(), "{answers:?}");
    assert_eq!(world.accounts, before);
}
