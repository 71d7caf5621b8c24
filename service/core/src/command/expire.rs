//! What time itself does: holds that are over let their points go, and lots that are over are written off.
//!
//! Nobody asks for it by a method. The sweeper does when it is due, and a command that needs the points does it first, in
//! its own decision and with the same records.

use std::sync::Arc;

use serde::Serialize;

use super::accrue_points::{Cause, points_body};
use super::draft::{Draft, Head, Lines, Moved, broken};
use super::{Answer, Command, Context, Decision, named};
use crate::exchange::{self, Exchange};
use crate::exposure::ExposureStep;
use crate::ids::{ExchangeId, MembershipId, RecordId};
use crate::ledger::{ChartAccount, LOTS_PER_COMMAND_MAX, LotDelta, LotKey};
use crate::partner::Program;
use crate::record::{Body, Record, RecordKind};
use crate::rejection::Rejection;
use crate::world::{AccountNeed, FactQuery, Facts, Footprint, Lock, World};

/// Ends a hold whose time is over.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireExchange {
    /// Whose hold.
    pub exchange_id: ExchangeId,
}

impl Command for ExpireExchange {
    named!("ExpireExchange");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.exchanges.insert(self.exchange_id);
    }

    fn footprint(&self, _context: &Context, facts: &Facts, needs: &mut Footprint) {
        super::end_exchange::footprint(self.exchange_id, facts, needs);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let mut draft = Draft::new(context, world);
        match expire_exchange(&mut draft, self.exchange_id) {
            Ok(Some(record)) => Decision { changes: draft.changes, answer: Answer::Done(record) },
            Ok(None) => idle(),
            Err(rejection) => Decision::refuse(rejection),
        }
    }
}

/// Writes off the lots of an account that are over, as many as one command may touch.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireLots {
    /// Whose.
    pub membership_id: MembershipId,
}

impl Command for ExpireLots {
    named!("ExpireLots");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.memberships.insert(self.membership_id);
    }

    fn footprint(&self, _context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.membership(self.membership_id, Lock::Share);
        needs.account(self.membership_id, AccountNeed::Lots);
        if let Some(fact) = facts.memberships.get(&self.membership_id) {
            needs.program(fact.program_id, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        let mut draft = Draft::new(context, world);
        match write_off(&mut draft, self.membership_id) {
            Ok(Some(record)) => Decision { changes: draft.changes, answer: Answer::Done(record) },
            Ok(None) => idle(),
            Err(rejection) => Decision::refuse(rejection),
        }
    }
}

fn idle() -> Decision {
    Decision { changes: crate::world::Changes::default(), answer: Answer::Idle }
}

/// Keeps what a draft has done so far and asks to be decided again.
pub(super) fn rerun(draft: Draft<'_>) -> Decision {
    Decision { changes: draft.changes, answer: Answer::Rerun }
}

/// What freeing up came to.
pub(super) enum Freed {
    /// Whatever was over is gone: decide on.
    Wholly,
    /// There is more that is over than one command may touch: keep this, and decide again.
    Partly(Box<Decision>),
}

/// Before points of an account are chosen: ends the holds that are over, and writes off the lots that are.
///
/// # Errors
/// A state that the rules cannot lead to.
pub(super) fn free_up(draft: &mut Draft<'_>, membership: MembershipId) -> Result<Freed, Rejection> {
    if let Freed::Partly(decision) = end_overdue(draft, membership)? {
        return Ok(Freed::Partly(decision));
    }
    write_off(draft, membership)?;
    let is_complete = draft.lots(membership).complete;
    let now = draft.world.now;
    let spendable =
        draft.lots(membership).lots.iter().any(|(key, lot)| lot.free() > 0 && !key.expiry.is_over(now));
    if is_complete || spendable || draft.changes.is_empty() {
        return Ok(Freed::Wholly);
    }
    Ok(partly(draft))
}

/// Ends the holds on an account that are over: before points of a known lot are taken, which they may hold.
///
/// # Errors
/// A state that the rules cannot lead to.
pub(super) fn end_overdue(draft: &mut Draft<'_>, membership: MembershipId) -> Result<Freed, Rejection> {
    let overdue: Vec<ExchangeId> =
        draft.world.overdue.get(&membership).into_iter().flatten().copied().collect();
    let mut lots: usize = 0;
    for exchange in overdue {
        if lots >= LOTS_PER_COMMAND_MAX {
            return Ok(partly(draft));
        }
        let record = expire_exchange(draft, exchange)?;
        lots = lots.saturating_add(record.map_or(0, |record| record.lots.len()));
    }
    Ok(Freed::Wholly)
}

/// Leaves off with what a draft has done so far.
fn partly(draft: &mut Draft<'_>) -> Freed {
    let fresh = Draft::new(draft.context, draft.world);
    Freed::Partly(Box::new(rerun(std::mem::replace(draft, fresh))))
}

/// Ends one hold, if it is over. `None` where it is not, or is final already.
fn expire_exchange(draft: &mut Draft<'_>, id: ExchangeId) -> Result<Option<Arc<Record>>, Rejection> {
    let Some(last) = draft.world.exchanges.get(&id) else { return Ok(None) };
    let expired = last.exchange().and_then(|exchange| exchange::expire(exchange, draft.world.now));
    let Some(expired) = expired else { return Ok(None) };
    let last = Arc::clone(last);
    let record_id = part_id(draft.context, "expired", &id.to_string());
    release(draft, &last, expired, Release { record_id, kind: RecordKind::ExchangeExpired }).map(Some)
}

/// How a hold's points are let go.
#[derive(Clone, Copy)]
pub(super) struct Release {
    pub(super) record_id: RecordId,
    pub(super) kind: RecordKind,
}

/// Lets go of everything that a prepare took: points, lots, exposure, and the places among live holds.
pub(super) fn release(
    draft: &mut Draft<'_>,
    prepared: &Record,
    ended: Exchange,
    how: Release,
) -> Result<Arc<Record>, Rejection> {
    let mut lines = Lines::default();
    for leg in &ended.legs {
        let source = leg.source.membership_id;
        let account = draft
            .account(source)?
            .release(leg.source_points.minor())
            .ok_or_else(|| broken("a hold without points"))?;
        draft.set_account(account);
        draft.step_exposure(ExposureStep::Release, &leg.obligation)?;
    }
    for held in &prepared.lots {
        let delta = LotDelta { remaining: 0, held: held.held.minor().saturating_neg() };
        draft.move_lot(
            &mut lines,
            held.membership_id,
            Moved { key: held.key(), delta, scale: held.held.scale() },
        );
    }
    draft.count_hold(&ended.initiator, -1);
    end(draft, ended, lines, how)
}

/// Notes the final state of a reservation, and makes its record.
pub(super) fn end(
    draft: &mut Draft<'_>,
    ended: Exchange,
    lines: Lines,
    how: Release,
) -> Result<Arc<Record>, Rejection> {
    let end = crate::world::ReservationEnd {
        state: ended.state,
        decided_at: draft.world.now,
        record_id: how.record_id,
    };
    draft.changes.ended.insert(ended.exchange_id, end);
    let parties = ended.parties();
    let body = Body::Exchange(Box::new(ended));
    draft.record(Head { record_id: how.record_id, kind: how.kind, parties, body }, lines)
}

/// Writes off what is over and free, as many lots as one command may touch. `None` where nothing is.
fn write_off(draft: &mut Draft<'_>, membership: MembershipId) -> Result<Option<Arc<Record>>, Rejection> {
    let now = draft.world.now;
    let over: Vec<(LotKey, i64)> = draft.lots(membership).over(now).take(LOTS_PER_COMMAND_MAX).collect();
    let Some(program) = program_of(draft.world, membership).filter(|_| !over.is_empty()) else {
        return Ok(None);
    };
    let mut lines = Lines::default();
    let mut sum: i64 = 0;
    for (key, minor) in over {
        sum = sum.checked_add(minor).ok_or_else(|| broken("lots larger than their account"))?;
        let delta = LotDelta { remaining: minor.saturating_neg(), held: 0 };
        draft.move_lot(&mut lines, membership, Moved { key, delta, scale: program.scale });
    }
    draft.post_member(&mut lines, membership, program, sum.saturating_neg())?;
    lines.post(program, ChartAccount::Expired, sum);
    let cause = Cause { minor: sum.saturating_neg(), reason: None, reference: None };
    let body = points_body(draft, membership, program, cause)?;
    // A command that is decided again may write off more of the same account: its postings tell the records apart.
    let sequence = draft.account(membership)?.postings;
    let record_id = part_id(draft.context, "lots-expired", &format!("{membership}/{sequence}"));
    let head =
        Head { record_id, kind: RecordKind::PointsExpired, parties: vec![program.partner.clone()], body };
    draft.record(head, lines).map(Some)
}

fn program_of(world: &World, membership: MembershipId) -> Option<&Program> {
    world.programs.get(&world.memberships.get(&membership)?.program_id)
}

/// The id of a record that a command makes beside its own: derived, so that a rerun makes the same.
pub(super) fn part_id(context: &Context, purpose: &str, index: &str) -> RecordId {
    RecordId::new(uuid::Builder::from_custom_bytes(context.seed.bits(purpose, index)).into_uuid())
}
