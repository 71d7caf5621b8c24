//! PrepareExchange: phase one. Holds points and the lots that they will come from, and the exposure that they will make.

use serde::Serialize;

use super::draft::{Draft, Lines, Moved};
use super::expire::{Freed, free_up, rerun};
use super::{Command, Context, Decision, named, standing};
use crate::agreement::{AgreementVersion, DirectionTerms, Funding, Pair};
use crate::canonical::{Hash, hex_hash};
use crate::exchange::{Exchange, Leg, References, ReservationState};
use crate::exposure::ExposureStep;
use crate::ledger::{
    Account, HOLDS_PER_INITIATOR_MAX, HOLDS_PER_MEMBERSHIP_MAX, LotDelta, PickError, UseFor,
};
use crate::member::{ConsentKey, ConsentScope, Membership};
use crate::quote::{Claims, End, Ends};
use crate::record::{Body, RecordKind};
use crate::rejection::Rejection;
use crate::rejections;
use crate::text::PartnerCode;
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Prepares the exchange that a quote describes.
#[derive(Debug, Clone, Serialize)]
pub struct PrepareExchange {
    /// What the token holds; absent where it is not one of this hub's.
    #[serde(skip)]
    pub claims: Option<Claims>,
    /// The caller's own names for the purchase.
    pub references: References,
    /// The hash of the quote's token: what the caller sent, whoever can still open it.
    #[serde(with = "hex_hash")]
    pub token_hash: Hash,
}

rejections! {
    /// Why an exchange is not prepared, in order of precedence (after the caller's standing). Between AGREEMENT_NOT_ACTIVE
    /// and HOLD_LIMIT stand the refusals of [`EndsRejection`](crate::quote::EndsRejection) and
    /// [`AmountRejection`](crate::quote::AmountRejection).
    pub enum PrepareExchangeRejection {
        QuoteInvalid => QuoteInvalid at "quote_token", "the token is not a quote that this hub made for you: take a new quote with QuoteExchange";
        EpochChanged => EpochChanged at "quote_token", "the hub was restored from a backup since the quote was made: take a new quote, and look up with GetExchange what became of exchanges of then";
        QuoteExpired => QuoteExpired at "quote_token", "the quote is over: take a new one with QuoteExchange";
        QuoteUsed => QuoteUsed at "quote_token", "the quote has made its exchange: retry with the request_id of then, or take a new quote";
        NotActive => AgreementNotActive, "the two partners have no agreement in force for this direction: propose one, or have a proposal accepted";
        MembershipHolds { most: u32 } => HoldLimit, "the membership has {most} exchanges prepared already: commit or abort some first";
        InitiatorHolds { most: i64 } => HoldLimit, "your partner has {most} exchanges prepared already: commit or abort some first";
        Insufficient => InsufficientPoints, "fewer points are available for exchange than the quote takes: take a quote for fewer; the source's partner sees with GetBalance how many are available";
        TooManyLots => TooManyLots, "the points lie in more than 256 lots: exchange them in smaller amounts";
        Exposure => ExposureLimit, "with this exchange one partner would owe the other more than they agreed: settle first, or agree on a higher limit";
    }
}

impl PrepareExchange {
    /// What the quote says, if it is the caller's. With another's, nothing more is read than with an invented one: the work
    /// would tell them apart.
    fn own_claims(&self, context: &Context) -> Option<&Claims> {
        self.claims.as_ref().filter(|claims| context.caller.partner() == Some(&claims.initiator))
    }
}

/// What a prepare is about, once its quote is known to be good.
struct Found<'a> {
    claims: &'a Claims,
    version: &'a AgreementVersion,
    terms: &'a DirectionTerms,
    ends: Ends<'a>,
}

impl Command for PrepareExchange {
    named!("PrepareExchange");

    fn resolve(&self, context: &Context, facts: &mut FactQuery) {
        if let Some(claims) = self.own_claims(context) {
            facts.memberships.extend([claims.source, claims.destination]);
            facts.versions.insert((claims.agreement_id, claims.agreement_version));
        }
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        let Some(claims) = self.own_claims(context) else { return };
        needs.exchanges.insert(claims.exchange_id);
        needs.initiators.insert(claims.initiator.clone());
        needs.account(claims.source, AccountNeed::Lots);
        let ends = [claims.source, claims.destination].map(|id| facts.memberships.get(&id));
        let [Some(source), Some(destination)] = ends else { return };
        for (id, end, other) in
            [(claims.source, source, destination), (claims.destination, destination, source)]
        {
            needs.membership(id, Lock::Share);
            needs.program(end.program_id, Lock::Share);
            needs.partner(&end.partner, Lock::Share);
            needs.consent(exchange_consent(id, &other.partner), Lock::Share);
        }
        let Some(pair) = Pair::new(&source.partner, &destination.partner) else { return };
        needs.agreement(&pair, Lock::Share);
        if let Some(version) = facts.versions.get(&(claims.agreement_id, claims.agreement_version)) {
            let currency = version.terms.settlement_currency;
            needs.exposures.insert(crate::exposure::ExposureKey { pair, currency });
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        self.find(context, world)
            .and_then(|found| self.prepare(context, world, &found))
            .unwrap_or_else(Decision::refuse)
    }
}

/// The consent that one end must have for the partner of the other.
fn exchange_consent(membership_id: crate::ids::MembershipId, recipient: &PartnerCode) -> ConsentKey {
    ConsentKey { membership_id, recipient: recipient.clone(), scope: ConsentScope::Exchange }
}

impl PrepareExchange {
    /// Everything that comes before the amount: quote, agreement, partners, memberships, consents.
    fn find<'a>(&'a self, context: &Context, world: &'a World) -> Result<Found<'a>, Rejection> {
        let claims = self.own_claims(context).ok_or(PrepareExchangeRejection::QuoteInvalid)?;
        let [source, destination] = [claims.source, claims.destination].map(|id| world.memberships.get(&id));
        if source.is_some_and(|source| source.partner != claims.initiator) {
            return Err(PrepareExchangeRejection::QuoteInvalid.into());
        }
        if claims.epoch != world.epoch {
            return Err(PrepareExchangeRejection::EpochChanged.into());
        }
        if claims.expires_at <= world.now {
            return Err(PrepareExchangeRejection::QuoteExpired.into());
        }
        if world.exchanges.contains_key(&claims.exchange_id) {
            return Err(PrepareExchangeRejection::QuoteUsed.into());
        }
        let ends = source.zip(destination).and_then(|(source, destination)| {
            Some(Ends {
                source: end_of(world, source, &destination.partner)?,
                destination: end_of(world, destination, &source.partner)?,
            })
        });
        let ends = ends.ok_or(PrepareExchangeRejection::QuoteInvalid)?;
        let Ends { source, destination } = &ends;
        let pair = Pair::new(&source.program.partner, &destination.program.partner);
        let active = pair.and_then(|pair| world.agreements.get(&pair)).filter(|a| a.active_version.is_some());
        let version = world.facts.versions.get(&(claims.agreement_id, claims.agreement_version));
        let terms = version.zip(active).and_then(|(version, _)| {
            Some((
                version,
                version.terms.direction(source.program.program_id, destination.program.program_id)?,
            ))
        });
        let (version, terms) = terms.ok_or(PrepareExchangeRejection::NotActive)?;
        ends.check(world.now)?;
        Ok(Found { claims, version, terms, ends })
    }

    fn prepare(&self, context: &Context, world: &World, found: &Found<'_>) -> Result<Decision, Rejection> {
        let leg = found.ends.leg(found.version, found.terms, found.claims.source_minor)?;
        let mut draft = Draft::new(context, world);
        let source = found.claims.source;
        if let Freed::Partly(decision) = free_up(&mut draft, source)? {
            return Ok(*decision);
        }
        let account = draft.account(source)?;
        check_holds(&draft, &account, found.claims)?;
        let mut lines = Lines::default();
        match hold(&mut draft, account, &mut lines, &leg) {
            Err(PickError::Stale) => return Ok(rerun(draft)),
            Err(PickError::Insufficient) => return Err(PrepareExchangeRejection::Insufficient.into()),
            Err(PickError::TooManyLots) => return Err(PrepareExchangeRejection::TooManyLots.into()),
            Ok(()) => {}
        }
        let exposure = draft.step_exposure(ExposureStep::Prepare, &leg.obligation)?;
        let Funding::Postpaid { exposure_limit } = found.terms.funding;
        if exposure.owed_by(&leg.obligation.debtor).is_none_or(|owed| owed > exposure_limit) {
            return Err(PrepareExchangeRejection::Exposure.into());
        }
        draft.count_hold(&found.claims.initiator, 1);
        let exchange = Exchange {
            exchange_id: found.claims.exchange_id,
            reservation_id: found.claims.exchange_id.reservation(),
            state: ReservationState::Prepared,
            initiator: found.claims.initiator.clone(),
            legs: vec![leg],
            references: self.references.clone(),
            prepared_at: world.now,
            hold_expires_at: world.now.plus_seconds(found.terms.hold_seconds),
            decided_at: None,
            abort_reason: None,
        };
        draft.changes.prepared.insert(exchange.exchange_id, (exchange.clone(), context.seed.record()));
        let parties = exchange.parties();
        Ok(draft.done(RecordKind::ExchangePrepared, parties, Body::Exchange(Box::new(exchange)), lines))
    }
}

fn end_of<'a>(world: &'a World, membership: &'a Membership, recipient: &PartnerCode) -> Option<End<'a>> {
    let program = world.programs.get(&membership.program_id)?;
    let partner = world.partners.get(&program.partner)?;
    let consent = world.consents.get(&exchange_consent(membership.membership_id, recipient));
    Some(End { membership, program, partner, consent })
}

fn check_holds(
    draft: &Draft<'_>,
    account: &Account,
    claims: &Claims,
) -> Result<(), PrepareExchangeRejection> {
    if account.live_holds >= HOLDS_PER_MEMBERSHIP_MAX {
        return Err(PrepareExchangeRejection::MembershipHolds { most: HOLDS_PER_MEMBERSHIP_MAX });
    }
    if draft.live_holds(&claims.initiator) >= HOLDS_PER_INITIATOR_MAX {
        return Err(PrepareExchangeRejection::InitiatorHolds { most: HOLDS_PER_INITIATOR_MAX });
    }
    Ok(())
}

/// Holds a leg's points and chooses the lots that they will come from.
fn hold(draft: &mut Draft<'_>, account: Account, lines: &mut Lines, leg: &Leg) -> Result<(), PickError> {
    let source = leg.source.membership_id;
    let minor = leg.source_points.minor();
    let account = account.hold(minor).ok_or(PickError::Insufficient)?;
    let now = draft.world.now;
    for (key, taken) in draft.lots(source).pick(minor, now, UseFor::Exchange)? {
        let delta = LotDelta { remaining: 0, held: taken };
        draft.move_lot(lines, source, Moved { key, delta, scale: leg.source_points.scale() });
    }
    draft.set_account(account);
    Ok(())
}
