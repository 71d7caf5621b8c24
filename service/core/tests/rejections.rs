//! Refusals of every method but those of exchanges: a line per variant, in order of precedence, and any two at once.
//!
//! The tables are read top down: the earlier line wins over the later one. Exchanges stand in `rejections_exchange.rs`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::sync::Arc;

use fixture::attempt::{self, Attempt};
use fixture::refusal::{
    Flaw, STANDING, Table, drain, flaw, freeze_all, reused, scatter, starting, suspend, unknown,
};
use fixture::{code, entered, reference, terms};
use pointbridge_core::command::{
    AcceptAgreement, AccruePoints, AdjustPoints, Answer, CreatePartner, CreateProgram, EnteredDirection,
    GrantConsent, IssueLinkCode, MergeMembers, PRECEDENCE, ProposeAgreement, RegisterMembership,
    UpdatePartner, UpdateProgram, WithdrawConsent,
};
use pointbridge_core::member::Withdrawal;
use pointbridge_core::partner::Custody;
use pointbridge_core::rejection::Reason;

const OWN_REGISTERED: &str = "the caller's own partner is registered, or its certificate were unknown";

#[test]
fn create_partner() {
    let flaws: Vec<Flaw<CreatePartner>> =
        vec![reused(), flaw("exists", Reason::PartnerExists, "code", |a| a.command.code = code("market"))];
    let fresh = attempt::create_partner;
    Table { method: "CreatePartner", fresh, flaws, apart: &[] }.check();
}

#[test]
fn update_partner() {
    let flaws: Vec<Flaw<UpdatePartner>> =
        starting(vec![flaw("not found", Reason::PartnerNotFound, "code", |a| {
            a.command.code = code("market");
        })]);
    let fresh = attempt::update_partner;
    Table { method: "UpdatePartner", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn create_program() {
    let flaws: Vec<Flaw<CreateProgram>> = starting(vec![
        flaw("no partner", Reason::PartnerNotFound, "partner_code", |a| a.command.partner = code("market")),
        flaw("partner-held", Reason::NotServed, "custody", |a| a.command.custody = Custody::PartnerHeld),
        flaw("exists", Reason::ProgramExists, "code", |a| {
            let taken = a.command.code.clone();
            for partner in ["airline", "market"] {
                a.scene.world.program_codes.insert((code(partner), taken.clone()));
            }
        }),
    ]);
    let fresh = attempt::create_program;
    Table { method: "CreateProgram", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn update_program() {
    let flaws: Vec<Flaw<UpdateProgram>> =
        starting(vec![flaw("not found", Reason::ProgramNotFound, "program_id", |a| {
            a.command.program_id = a.scene.points;
        })]);
    let fresh = attempt::update_program;
    Table { method: "UpdateProgram", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn propose_agreement() {
    let flaws: Vec<Flaw<ProposeAgreement>> = starting(vec![
        flaw("same", Reason::SamePartner, "partner_code", |a| a.command.partner = code("airline")),
        flaw("no partner", Reason::PartnerNotFound, "partner_code", |a| a.command.partner = code("nobody")),
        flaw("inactive", Reason::PartnerInactive, "partner_code", |a| suspend(&mut a.scene, "market")),
        flaw("terms", Reason::TermsInvalid, "terms.directions[0].minimum_source_points", |a| {
            a.command.directions[0].minimum = entered("0");
        }),
    ]);
    let apart = &[
        STANDING,
        ("same", "no partner", OWN_REGISTERED),
        ("same", "inactive", "where the caller itself is suspended that is told first"),
        ("no partner", "inactive", "who is not registered has no status"),
    ];
    let fresh = attempt::propose_agreement;
    Table { method: "ProposeAgreement", fresh, flaws, apart }.check();
}

#[test]
fn terms_say_which_field_of_which_direction_is_wrong() {
    type Spoil = fn(&mut EnteredDirection, &fixture::Scene);
    let lines: [(&str, Spoil); 18] = [
        ("source_program_id", |d, scene| d.source_program = scene.drops),
        ("destination_program_id", |d, scene| d.destination_program = scene.drops),
        ("destination_program_id", |d, _| d.destination_program = d.source_program),
        ("source_program_id", |d, scene| {
            (d.source_program, d.destination_program) = (scene.miles, scene.points);
        }),
        ("minimum_source_points", |d, _| d.minimum = entered("0.5")),
        ("maximum_source_points", |d, _| d.maximum = entered("0.5")),
        ("step_source_points", |d, _| d.step = entered("0.5")),
        ("fee_points", |d, _| d.fee = entered("0.5")),
        ("price.money", |d, _| d.price_money = entered("0.0000001")),
        ("price.points", |d, _| d.price_points = entered("0.5")),
        ("minimum_source_points", |d, _| d.minimum = entered("0")),
        ("maximum_source_points", |d, _| (d.minimum, d.maximum) = (entered("10"), entered("9"))),
        ("step_source_points", |d, _| d.step = entered("0")),
        ("fee_points", |d, _| d.fee = entered("-1")),
        ("price.money", |d, _| d.price_money = entered("0")),
        ("price.points", |d, _| d.price_points = entered("0")),
        ("postpaid.exposure_limit", |d, _| d.exposure_limit = entered("0")),
        ("hold_seconds", |d, _| d.hold_seconds = 0),
    ];
    let long: (&str, Spoil) = ("hold_seconds", |d, _| d.hold_seconds = 3601);
    for (line, (field, spoil)) in lines.into_iter().chain([long]).enumerate() {
        let mut attempt = attempt::propose_agreement();
        spoil(&mut attempt.command.directions[1], &attempt.scene);
        let (_, answer) = attempt.decide(false);
        let Answer::Refused(rejection) = answer else { panic!("line {line} {field}: {answer:?}") };
        assert_eq!(rejection.reason, Reason::TermsInvalid, "line {line} {field}");
        assert_eq!(rejection.field, Some(format!("terms.directions[1].{field}")), "line {line}");
    }
    for hold_seconds in [1, 3600] {
        let mut attempt = attempt::propose_agreement();
        attempt.command.directions[0].hold_seconds = hold_seconds;
        assert!(matches!(attempt.decide(false).1, Answer::Done(_)), "{hold_seconds} seconds are allowed");
    }
}

/// Four programs of the supermarket and four of the airline: as many directions as asked for, no two alike.
fn with_directions(count: usize) -> Attempt<ProposeAgreement> {
    let mut attempt = attempt::propose_agreement();
    let (airline, market) = (attempt.scene.airline.clone(), attempt.scene.market.clone());
    let (mut ours, mut theirs) = (vec![attempt.scene.miles], vec![attempt.scene.points]);
    for name in ["second", "third", "fourth"] {
        ours.push(attempt.scene.program(&airline, name, 0, 0));
        theirs.push(attempt.scene.program(&market, name, 0, 0));
    }
    let there = ours.iter().flat_map(|one| theirs.iter().map(move |other| (*one, *other)));
    let back = there.clone().map(|(one, other)| (other, one));
    let ways = there.chain(back).take(count);
    attempt.command.directions = ways.map(|(one, other)| terms::direction(one, other, (1, 1))).collect();
    assert_eq!(attempt.command.directions.len(), count);
    attempt
}

#[test]
fn terms_have_one_to_sixteen_directions() {
    for (count, fits) in [(0, false), (1, true), (16, true), (17, false), (32, false)] {
        let (changes, answer) = with_directions(count).decide(false);
        match answer {
            Answer::Done(_) => assert!(fits, "{count} directions are taken"),
            Answer::Refused(rejection) => {
                assert_eq!((rejection.reason, fits), (Reason::TermsInvalid, false), "{count}: {rejection}");
                assert_eq!(rejection.field.as_deref(), Some("terms.directions"), "{count}");
                assert!(rejection.message.contains("1 to 16") && changes.is_empty(), "{count}: {rejection}");
            }
            other => panic!("{count}: {other:?}"),
        }
    }
}

#[test]
fn accept_agreement() {
    let flaws: Vec<Flaw<AcceptAgreement>> = starting(vec![
        flaw("not found", Reason::AgreementNotFound, "agreement_id", |a| {
            a.command.agreement_id = a.scene.air_baby;
        }),
        flaw("not pending", Reason::AgreementNotPending, "version", |a| a.command.version = 1),
        flaw("own proposal", Reason::OwnProposal, None, |a| {
            for version in a.scene.world.facts.versions.values_mut() {
                Arc::make_mut(version).author = code("market");
            }
        }),
        flaw("terms changed", Reason::TermsChanged, "terms_hash", |a| a.command.terms_hash = [7; 32]),
        flaw("inactive", Reason::PartnerInactive, None, |a| suspend(&mut a.scene, "airline")),
    ]);
    let fresh = attempt::accept_agreement;
    Table { method: "AcceptAgreement", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn register_membership() {
    let flaws: Vec<Flaw<RegisterMembership>> = starting(vec![
        flaw("no program", Reason::ProgramNotFound, "program_id", |a| a.command.program_id = a.scene.points),
        flaw("exists", Reason::MembershipExists, "external_reference", |a| {
            a.command.external_reference = reference("twice-1");
            for program in [a.scene.miles, a.scene.points] {
                a.scene.world.external_references.insert((program, reference("twice-1")));
            }
        }),
    ]);
    let fresh = attempt::register_membership;
    Table { method: "RegisterMembership", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn issue_link_code() {
    let flaws: Vec<Flaw<IssueLinkCode>> = starting(vec![
        flaw("not found", Reason::MembershipNotFound, "membership_id", |a| {
            a.command.membership_id = a.scene.shopper;
        }),
        flaw("inactive", Reason::MembershipInactive, "membership_id", |a| freeze_all(&mut a.scene)),
        flaw("same", Reason::SamePartner, "partner_code", |a| a.command.partner = code("airline")),
        flaw("no partner", Reason::PartnerNotFound, "partner_code", |a| a.command.partner = code("nobody")),
    ]);
    let apart = &[STANDING, ("same", "no partner", OWN_REGISTERED)];
    let fresh = attempt::issue_link_code;
    Table { method: "IssueLinkCode", fresh, flaws, apart }.check();
}

#[test]
fn merge_members() {
    let flaws: Vec<Flaw<MergeMembers>> = starting(vec![
        flaw("not found", Reason::MembershipNotFound, "membership_id", |a| {
            a.command.membership_id = a.scene.flyer;
        }),
        flaw("inactive", Reason::MembershipInactive, "membership_id", |a| freeze_all(&mut a.scene)),
        flaw("code invalid", Reason::LinkCodeInvalid, "link_code", |a| {
            let now = a.scene.world.now;
            a.scene.world.link_codes.values_mut().for_each(|code| code.expires_at = now);
        }),
        flaw("conflict", Reason::MembersConflict, None, |a| {
            let member = a.scene.world.memberships[&a.command.membership_id].member_id;
            let flyer = a.scene.flyer;
            a.scene.world.memberships.get_mut(&flyer).unwrap().member_id = member;
        }),
    ]);
    let fresh = attempt::merge_members;
    Table { method: "MergeMembers", fresh, flaws, apart: &[STANDING] }.check();
}

#[test]
fn a_link_code_is_invalid_for_one_reason_as_for_another() {
    type Spoil = fn(&mut Attempt<MergeMembers>);
    let lines: [(&str, Spoil); 4] = [
        ("unknown", |a| a.command.code_hash = [5; 32]),
        ("used", |a| {
            let used_by = Some(a.scene.shopper);
            a.scene.world.link_codes.values_mut().for_each(|code| code.used_by = used_by);
        }),
        ("another's", |a| {
            a.scene.world.link_codes.values_mut().for_each(|link| link.partner = code("baby"));
        }),
        ("frozen", |a| {
            let own = a.command.membership_id;
            let status = pointbridge_core::member::MembershipStatus::Frozen;
            let others = a.scene.world.memberships.values_mut().filter(|m| m.membership_id != own);
            others.for_each(|membership| membership.status = status);
        }),
    ];
    let mut over = attempt::merge_members();
    over.scene.tick(600);
    let (_, expected) = over.decide(false);
    assert!(matches!(&expected, Answer::Refused(r) if r.reason == Reason::LinkCodeInvalid), "{expected:?}");
    for (line, spoil) in lines {
        let mut attempt = attempt::merge_members();
        spoil(&mut attempt);
        assert_eq!(attempt.decide(false).1, expected, "{line}: one answer for all");
    }
}

#[test]
fn grant_consent() {
    let flaws: Vec<Flaw<GrantConsent>> = starting(vec![
        flaw("not found", Reason::MembershipNotFound, "membership_id", |a| {
            a.command.membership_id = a.scene.shopper;
        }),
        flaw("inactive", Reason::MembershipInactive, "membership_id", |a| freeze_all(&mut a.scene)),
        flaw("same", Reason::SamePartner, "recipient_partner_code", |a| {
            a.command.recipient = code("airline");
        }),
        flaw("no partner", Reason::PartnerNotFound, "recipient_partner_code", |a| {
            a.command.recipient = code("nobody");
        }),
        flaw("over", Reason::ValidationFailed, "expire_time", |a| {
            a.command.expires_at = Some(a.scene.world.now);
        }),
    ]);
    let apart = &[STANDING, ("same", "no partner", OWN_REGISTERED)];
    let fresh = attempt::grant_consent;
    Table { method: "GrantConsent", fresh, flaws, apart }.check();
}

#[test]
fn withdraw_consent() {
    let flaws: Vec<Flaw<WithdrawConsent>> = vec![
        reused(),
        unknown(),
        flaw("not found", Reason::ConsentNotFound, "consent_id", |a| {
            a.command.consent_id = a.scene.consent_id(a.scene.shopper, "airline");
        }),
        flaw("withdrawn", Reason::ConsentWithdrawn, "consent_id", |a| {
            let (now, reason) = (a.scene.world.now, a.command.reason.clone());
            for (consent_id, (_, end)) in &mut a.scene.world.consents_by_id {
                let reason = reason.clone();
                *end = Some(Withdrawal { consent_id: *consent_id, reason, withdrawn_at: now });
            }
        }),
    ];
    let fresh = attempt::withdraw_consent;
    Table { method: "WithdrawConsent", fresh, flaws, apart: &[] }.check();
}

fn posted_to_the_brim<C>(attempt: &mut Attempt<C>) {
    attempt.scene.world.accounts.get_mut(&attempt.scene.flyer).unwrap().posted = i64::MAX;
}

#[test]
fn accrue_points() {
    let flaws: Vec<Flaw<AccruePoints>> = starting(vec![
        flaw("not found", Reason::MembershipNotFound, "membership_id", |a| {
            a.command.membership_id = a.scene.shopper;
        }),
        flaw("inactive", Reason::MembershipInactive, "membership_id", |a| freeze_all(&mut a.scene)),
        flaw("scale", Reason::AmountScale, "amount", |a| {
            let below_zero = a.command.amount.to_string().starts_with('-');
            a.command.amount = entered(if below_zero { "-0.5" } else { "0.5" });
        }),
        flaw("out of range", Reason::AmountOutOfRange, "amount", |a| a.command.amount = entered("-1")),
        flaw("over", Reason::ValidationFailed, "expire_time", |a| {
            a.command.expires_at = Some(a.scene.world.now);
        }),
        flaw("overflow", Reason::Overflow, "amount", posted_to_the_brim),
    ]);
    let apart = &[
        STANDING,
        ("scale", "overflow", "what is not a whole number of units is not added to anything"),
        ("out of range", "overflow", "what is not above zero makes no account larger"),
    ];
    Table { method: "AccruePoints", fresh: attempt::accrue_points, flaws, apart }.check();
}

#[test]
fn adjust_points() {
    let flaws: Vec<Flaw<AdjustPoints>> = starting(vec![
        flaw("not found", Reason::MembershipNotFound, "membership_id", |a| {
            a.command.membership_id = a.scene.shopper;
        }),
        flaw("scale", Reason::AmountScale, "amount", |a| a.command.amount = entered("-257.5")),
        flaw("out of range", Reason::AmountOutOfRange, "amount", |a| a.command.amount = entered("0")),
        flaw("insufficient", Reason::InsufficientPoints, "amount", |a| drain(&mut a.scene)),
        flaw("too many lots", Reason::TooManyLots, "amount", |a| scatter(&mut a.scene)),
        flaw("overflow", Reason::Overflow, "amount", |a| {
            a.command.amount = entered("1");
            posted_to_the_brim(a);
        }),
    ]);
    let apart = &[
        STANDING,
        ("scale", "out of range", "zero has no decimals, and a large number with too many is told first"),
        ("scale", "overflow", "what is not a whole number of units is not added to anything"),
        ("out of range", "insufficient", "zero is always available"),
        ("out of range", "too many lots", "zero takes no lot"),
        ("out of range", "overflow", "zero makes no account larger"),
        ("insufficient", "too many lots", "lots are counted of points that are there"),
        ("insufficient", "overflow", "the one takes points, the other adds some"),
        ("too many lots", "overflow", "the one takes points, the other adds some"),
    ];
    Table { method: "AdjustPoints", fresh: attempt::adjust_points, flaws, apart }.check();
}

#[test]
fn a_table_stands_here_for_every_method_of_the_catalogue() {
    let sources = [
        include_str!("rejections.rs"),
        include_str!("rejections_exchange.rs"),
        include_str!("rejections_standing.rs"),
    ]
    .concat();
    for (method, _) in PRECEDENCE {
        assert!(sources.contains(&format!("method: \"{method}\"")), "{method} has no table");
    }
    assert_eq!(PRECEDENCE.len(), 24, "every writing method is in the catalogue");
}
