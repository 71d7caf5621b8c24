//! What happens in a play: an opening that is always the same, and then whatever the dice say.
//!
//! Acts are wrong as often as is useful: foreign callers, amounts beyond what is there, old versions, spent quotes.

use std::sync::Arc;

use pointbridge_core::agreement::Basis;
use pointbridge_core::command::{
    AbortExchange, AccruePoints, AdjustPoints, CommitExchange, EnteredDirection, Envelope, ExpireExchange,
    ExpireLots, GrantConsent, MergeMembers, ProposeAgreement, RegisterMembership, UpdatePartner,
    UpdateProgram, WithdrawConsent,
};
use pointbridge_core::ids::{ExchangeId, ProgramId};
use pointbridge_core::member::ConsentScope;
use pointbridge_core::quote::Claims;
use pointbridge_core::rate::{Rate, Rounding};
use pointbridge_core::text::{DisplayName, PartnerCode};
use pointbridge_store::{Due, Store};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::{Hub, accrual, code, entered, preparation, reason, reference, reversal};
use pointbridge_tests::memory::MemoryStore;
use pointbridge_tests::scene::{company, consent, direction, hosted};
use pointbridge_tests::script::{operator, till};

use crate::cast::{Cast, Made, Member};
use crate::dice::Dice;

type World = Hub<MemoryStore>;

/// The partners of a play, with their program and its decimals and months of life.
const PARTNERS: [(&str, &str, u8, u8); 3] =
    [("airline", "miles", 0, 0), ("cinema", "seats", 4, 2), ("market", "stars", 2, 1)];

/// The persons of a play, each with a membership everywhere.
const PERSONS: usize = 3;

/// Adds to the play what every play begins with; each call sees what the ones before it led to.
pub(crate) fn opening(hub: &World, cast: &Cast, step: usize) -> Vec<Arc<Envelope>> {
    let ask = &hub.script;
    match step {
        0 => PARTNERS.iter().map(|(name, ..)| ask.ask(&operator(), company(name))).collect(),
        1 => PARTNERS
            .iter()
            .map(|(name, program, decimals, months)| {
                ask.ask(&till(&code(name)), hosted(&code(name), program, *decimals, *months))
            })
            .collect(),
        2 => (0..PERSONS)
            .flat_map(|person| cast.programs.iter().map(move |program| (person, program)))
            .map(|(person, (program_id, partner))| {
                let external_reference = reference(&format!("person-{person}"));
                ask.ask(&till(partner), RegisterMembership { program_id: *program_id, external_reference })
            })
            .collect(),
        3 => linking(hub, cast),
        4 => merging(hub, cast),
        5 => pairs(cast).map(|(one, other)| ask.ask(&till(&one.1), terms_between(one, other))).collect(),
        6 => {
            let proposals = cast.proposals.iter();
            proposals.map(|(partner, accept)| ask.ask(&till(partner), accept.clone())).collect()
        }
        _ => all_consents(hub, cast),
    }
}

/// How many calls of [`opening`] there are.
pub(crate) const OPENING_STEPS: usize = 8;

/// Pairs of programs of two partners, the first one's program first.
fn pairs(cast: &Cast) -> impl Iterator<Item = (&(ProgramId, PartnerCode), &(ProgramId, PartnerCode))> {
    let all = cast.programs.iter().enumerate();
    all.flat_map(|(place, one)| cast.programs[place + 1..].iter().map(move |other| (one, other)))
}

/// The memberships of each person: those of the same reference were registered one program after the other.
fn persons(cast: &Cast) -> impl Iterator<Item = &[Member]> {
    cast.members.chunks(PARTNERS.len())
}

/// Links each person's first membership with the others.
fn linking(hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    let mut batch = Vec::new();
    for person in persons(cast) {
        for other in &person[1..] {
            batch
                .push(hub.script.ask(&till(&person[0].partner), hub.link_code(person[0].id, &other.partner)));
        }
    }
    batch
}

fn all_consents(hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    let mut batch = Vec::new();
    for member in &cast.members {
        for recipient in cast.partners.iter().filter(|partner| **partner != member.partner) {
            batch.push(hub.script.ask(&till(&member.partner), consent(member.id, recipient)));
        }
    }
    batch
}

fn terms_between(one: &(ProgramId, PartnerCode), other: &(ProgramId, PartnerCode)) -> ProposeAgreement {
    ProposeAgreement {
        partner: other.1.clone(),
        settlement_currency: "CNY".parse().unwrap(),
        directions: vec![direction(one.0, other.0), direction(other.0, one.0)],
    }
}

/// Has each person's other memberships brought together with the first one.
fn merging(hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    let mut batch = Vec::new();
    for (issuer, partner, code_hash) in &cast.link_codes {
        let person = persons(cast).find(|person| person[0].id == *issuer);
        let brought = person.and_then(|person| person.iter().find(|member| member.partner == *partner));
        if let Some(member) = brought {
            let merge = MergeMembers { code_hash: *code_hash, membership_id: member.id };
            batch.push(hub.script.ask(&till(partner), merge));
        }
    }
    batch
}

/// Moves the clock: mostly a little, now and then far, now and then back.
pub(crate) fn pass_time(dice: &mut Dice, clock: &Clock) {
    let seconds = match dice.below(40) {
        0 => 40 * 24 * 3600,
        1 => -300,
        2..6 => 3600,
        6..16 => 100,
        _ => 5,
    };
    clock.move_by(seconds);
}

/// A random command or two; now and then one that was asked before.
pub(crate) fn act(dice: &mut Dice, hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    let one = match dice.below(100) {
        0..22 => accrue(dice, hub, cast),
        22..26 => return reverse(dice, hub, cast),
        26..32 => adjust(dice, hub, cast),
        32..58 => return prepare(dice, hub, cast),
        58..74 => commit(dice, hub, cast),
        74..80 => abort(dice, hub, cast),
        80..85 => grant_or_withdraw(dice, hub, cast),
        85..89 => propose_or_accept(dice, hub, cast),
        89..94 => enrol_link_or_merge(dice, hub, cast),
        94..96 => update(dice, hub, cast),
        _ => Arc::clone(dice.pick(&cast.asked)),
    };
    vec![one]
}

/// The partner itself, and now and then another one.
fn somebody(dice: &mut Dice, cast: &Cast, right: &PartnerCode) -> PartnerCode {
    if dice.one_in(12) { dice.pick(&cast.partners).clone() } else { right.clone() }
}

/// An amount with as many decimals as it pleases.
fn amount(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => format!("{}.{}", dice.below(50), dice.below(100)),
        1 => dice.below(100_000).to_string(),
        2 => format!("0.{:04}", dice.below(10_000)),
        _ => dice.below(300).to_string(),
    }
}

fn accrue(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    let member = dice.pick(&cast.members).clone();
    let seconds = u32::try_from(dice.below(20_000)).unwrap();
    let expires_at = dice.one_in(3).then(|| hub.clock.now().plus_seconds(seconds));
    let command = AccruePoints { expires_at, ..accrual(member.id, &amount(dice)) };
    let caller = till(&somebody(dice, cast, &member.partner));
    if dice.one_in(15) { hub.script.try_out(&caller, command) } else { hub.script.ask(&caller, command) }
}

fn adjust(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    let member = dice.pick(&cast.members).clone();
    let sign = if dice.one_in(3) { "" } else { "-" };
    let command = AdjustPoints {
        membership_id: member.id,
        amount: entered(&format!("{sign}{}", amount(dice))),
        reason: reason("CORRECTION"),
        reference: reference("case-1"),
    };
    hub.script.ask(&till(&somebody(dice, cast, &member.partner)), command)
}

/// A prepare, tried out now and then, or with its commit right behind it.
fn prepare(dice: &mut Dice, hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    // Mostly within one person, as only that can come about.
    let persons: Vec<&[Member]> = persons(cast).take(PERSONS).collect();
    let among = if dice.one_in(6) { &cast.members[..] } else { dice.pick(&persons) };
    let source = dice.pick(among).clone();
    let others: Vec<&Member> = among.iter().filter(|other| other.partner != source.partner).collect();
    let destination = (*dice.pick(&others)).clone();
    let fits: Vec<_> = cast
        .versions
        .iter()
        .filter(|version| version.terms.direction(source.program, destination.program).is_some())
        .collect();
    let newest = fits.last().copied().filter(|_| !dice.one_in(5));
    let version = newest.unwrap_or_else(|| dice.pick(&cast.versions));
    let claims = Claims {
        exchange_id: ExchangeId::new(hub.script.id()),
        initiator: source.partner.clone(),
        epoch: if dice.one_in(50) { 2 } else { 1 },
        agreement_id: version.agreement_id,
        agreement_version: version.version,
        source: source.id,
        destination: destination.id,
        source_minor: source_minor(dice, &source.partner),
        expires_at: hub.clock.now().plus_seconds(u32::try_from(dice.below(120)).unwrap()),
    };
    let caller = till(&somebody(dice, cast, &source.partner));
    let exchange_id = claims.exchange_id;
    match dice.below(15) {
        0 => vec![hub.script.try_out(&caller, preparation(claims))],
        1..6 => vec![
            hub.script.ask(&caller, preparation(claims)),
            hub.script.ask(&caller, CommitExchange { exchange_id }),
        ],
        _ => vec![hub.script.ask(&caller, preparation(claims))],
    }
}

/// Mostly some whole points, a multiple of every step there is.
fn source_minor(dice: &mut Dice, partner: &PartnerCode) -> i64 {
    let decimals =
        PARTNERS.iter().find(|(name, ..)| *name == partner.as_str()).map_or(0, |(.., scale, _)| *scale);
    let minor =
        if dice.one_in(6) { dice.below(4000) } else { 6 * dice.below(60) * 10_u64.pow(decimals.into()) };
    i64::try_from(minor).unwrap()
}

/// One of the exchanges that were made last; before the first one, one that does not exist.
fn exchange(dice: &mut Dice, hub: &World, cast: &Cast) -> (ExchangeId, PartnerCode, PartnerCode) {
    let recent = &cast.exchanges[cast.exchanges.len().saturating_sub(40)..];
    if recent.is_empty() {
        let nobody = dice.pick(&cast.partners).clone();
        return (ExchangeId::new(hub.script.id()), nobody.clone(), nobody);
    }
    let made = dice.pick(recent);
    (made.id, made.initiator.clone(), made.other.clone())
}

fn commit(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    let (exchange_id, initiator, _) = exchange(dice, hub, cast);
    hub.script.ask(&till(&somebody(dice, cast, &initiator)), CommitExchange { exchange_id })
}

fn abort(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    let (exchange_id, initiator, other) = exchange(dice, hub, cast);
    let caller = if dice.one_in(2) { initiator } else { other };
    let command = AbortExchange { exchange_id, reason: reason("CUSTOMER_LEFT") };
    hub.script.ask(&till(&somebody(dice, cast, &caller)), command)
}

/// Gives an exchange back, in part or as a whole, by either party; now and then twice at once, or right behind its commit.
fn reverse(dice: &mut Dice, hub: &World, cast: &Cast) -> Vec<Arc<Envelope>> {
    let (mut exchange_id, mut initiator, mut other) = exchange(dice, hub, cast);
    let mut batch = Vec::new();
    let recent = &cast.committed[cast.committed.len().saturating_sub(10)..];
    if !recent.is_empty() && !dice.one_in(8) {
        Made { id: exchange_id, initiator, other } = dice.pick(recent).clone();
    } else if dice.one_in(4) {
        batch.push(hub.script.ask(&till(&initiator), CommitExchange { exchange_id }));
    }
    for _ in 0..=dice.below(2) {
        let points = if dice.one_in(2) { None } else { Some(amount(dice)) };
        let caller = if dice.one_in(3) { initiator.clone() } else { other.clone() };
        let caller = till(&somebody(dice, cast, &caller));
        let command = reversal(exchange_id, points.as_deref());
        let dry = dice.one_in(15);
        batch.push(if dry { hub.script.try_out(&caller, command) } else { hub.script.ask(&caller, command) });
    }
    batch
}

fn grant_or_withdraw(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    if dice.one_in(10) {
        let (consent_id, membership) = *dice.pick(&cast.consents);
        let home = cast.members.iter().find(|member| member.id == membership);
        let home = home.map_or_else(|| cast.partners[0].clone(), |member| member.partner.clone());
        let command = WithdrawConsent { consent_id, reason: reason("MEMBER_ASKED") };
        return hub.script.ask(&till(&home), command);
    }
    let member = dice.pick(&cast.members).clone();
    let recipient = dice.pick(&cast.partners).clone();
    let seconds = u32::try_from(dice.below(100_000)).unwrap();
    let command = GrantConsent {
        scope: if dice.one_in(5) { *dice.pick(&ConsentScope::ALL) } else { ConsentScope::Exchange },
        expires_at: dice.one_in(4).then(|| hub.clock.now().plus_seconds(seconds)),
        ..consent(member.id, &recipient)
    };
    hub.script.ask(&till(&member.partner), command)
}

fn propose_or_accept(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    if dice.one_in(2) {
        let recent = &cast.proposals[cast.proposals.len().saturating_sub(4)..];
        let (partner, accept) = dice.pick(recent).clone();
        return hub.script.ask(&till(&somebody(dice, cast, &partner)), accept);
    }
    let one = dice.pick(&cast.programs).clone();
    let other = dice.pick(&cast.programs).clone();
    let mut proposal = terms_between(&one, &other);
    for direction in &mut proposal.directions {
        haggle(dice, direction);
    }
    hub.script.ask(&till(&one.1), proposal)
}

/// Makes terms into what may come out of a negotiation.
fn haggle(dice: &mut Dice, terms: &mut EnteredDirection) {
    terms.rate = Rate::new(1 + dice.below(7000), 1 + dice.below(7000)).unwrap();
    terms.rounding = if dice.one_in(2) { Rounding::HalfEven } else { Rounding::TowardZero };
    terms.basis = if dice.one_in(2) { Basis::Source } else { Basis::Credited };
    terms.fee = entered(&dice.below(3).to_string());
    terms.step = entered(&(1 + dice.below(3)).to_string());
    terms.price_money = entered(&format!("{}.{:02}", dice.below(3), 1 + dice.below(99)));
    terms.price_points = entered(&(1 + dice.below(100)).to_string());
    terms.exposure_limit = entered(&(1 + dice.below(3000)).to_string());
    terms.reversal_days = dice.one_in(2).then(|| u32::try_from(dice.below(366)).unwrap());
    terms.hold_seconds = 1 + u32::try_from(dice.below(3600)).unwrap();
}

fn enrol_link_or_merge(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    match dice.below(3) {
        0 => {
            let (program_id, partner) = dice.pick(&cast.programs).clone();
            let external_reference = reference(&format!("person-{}", dice.below(30)));
            hub.script.ask(&till(&partner), RegisterMembership { program_id, external_reference })
        }
        1 => {
            let member = dice.pick(&cast.members).clone();
            let partner = dice.pick(&cast.partners).clone();
            hub.script.ask(&till(&member.partner), hub.link_code(member.id, &partner))
        }
        _ => {
            let recent = &cast.link_codes[cast.link_codes.len().saturating_sub(5)..];
            let (_, partner, code_hash) = dice.pick(recent).clone();
            let own: Vec<&Member> = cast.members.iter().filter(|member| member.partner == partner).collect();
            let membership_id = dice.pick(&own).id;
            hub.script.ask(&till(&partner), MergeMembers { code_hash, membership_id })
        }
    }
}

fn update(dice: &mut Dice, hub: &World, cast: &Cast) -> Arc<Envelope> {
    let name = Some(DisplayName::new(format!("name {}", dice.below(10))).unwrap());
    if dice.one_in(2) {
        let partner = dice.pick(&cast.partners).clone();
        return hub.script.ask(&operator(), UpdatePartner { code: partner, name });
    }
    let (program_id, partner) = dice.pick(&cast.programs).clone();
    let points_expiry_months = Some(u8::try_from(dice.below(4)).unwrap());
    hub.script.ask(&till(&partner), UpdateProgram { program_id, name, points_expiry_months })
}

/// Now and then the sweeper comes by.
pub(crate) async fn what_is_due(dice: &mut Dice, hub: &World) -> Vec<Arc<Envelope>> {
    if dice.one_in(3) { all_that_is_due(hub).await } else { Vec::new() }
}

/// Everything that time asks for now.
pub(crate) async fn all_that_is_due(hub: &World) -> Vec<Arc<Envelope>> {
    let due = hub.store.due(100).await.unwrap();
    let asked = due.into_iter().map(|thing| match thing {
        Due::Hold(exchange_id) => hub.script.from_hub(ExpireExchange { exchange_id }),
        Due::Lots(membership_id) => hub.script.from_hub(ExpireLots { membership_id }),
    });
    asked.collect()
}
