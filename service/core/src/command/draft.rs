//! A draft: the changes of one command while it is being decided.
//!
//! It shows the command its own changes on top of the world, and makes records whose postings sum to zero.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::caller::Caller;
use crate::command::{Answer, Context, Decision};
use crate::exposure::{Exposure, ExposureKey, ExposureStep, Obligation};
use crate::ids::{MembershipId, RecordId, WindowId};
use crate::ledger::{
    Account, ChartAccount, Lot, LotDelta, LotKey, LotMovement, LotSet, MemberPosting, Posting,
};
use crate::partner::Program;
use crate::points::Amount;
use crate::record::{Body, Record, RecordKind, SealedRecord};
use crate::rejection::{Reason, Rejection};
use crate::text::PartnerCode;
use crate::world::{Changes, World};

/// The changes of one command, on top of a world.
pub(crate) struct Draft<'a> {
    pub(super) context: &'a Context,
    pub(super) world: &'a World,
    pub(super) changes: Changes,
    /// Lots that were read after they were changed.
    lots: BTreeMap<MembershipId, LotSet>,
}

/// What there is of an account's lots where none were loaded.
static NO_LOTS: LotSet = LotSet { lots: BTreeMap::new(), complete: false, changed: false };

/// The lines of one record while it is being made.
#[derive(Default)]
pub(super) struct Lines {
    postings: Vec<Posting>,
    lots: Vec<LotMovement>,
    obligations: Vec<Obligation>,
    window: Option<WindowId>,
}

/// A record's head: what it is about, and whom it concerns.
pub(super) struct Head {
    pub(super) record_id: RecordId,
    pub(super) kind: RecordKind,
    pub(super) parties: Vec<PartnerCode>,
    pub(super) body: Body,
}

/// A sum that does not fit.
pub(super) fn overflow() -> Rejection {
    Rejection::new(Reason::Overflow, "the account would hold more points than the hub can count")
}

/// A state that the rules cannot lead to: the hub's fault, never the caller's.
pub(super) fn broken(what: &str) -> Rejection {
    Rejection::new(
        Reason::Internal,
        format!("the hub found its own state broken ({what}) and changed nothing: tell its operator"),
    )
}

impl<'a> Draft<'a> {
    pub(super) fn new(context: &'a Context, world: &'a World) -> Self {
        Self { context, world, changes: Changes::default(), lots: BTreeMap::new() }
    }

    /// The account as the draft leaves it so far. One that was not loaded is never made up.
    pub(super) fn account(&self, membership: MembershipId) -> Result<Account, Rejection> {
        let changed = self.changes.accounts.get(&membership).copied();
        changed
            .or_else(|| self.world.account(membership))
            .ok_or_else(|| broken("an account that was not loaded"))
    }

    /// The lots as the draft leaves them so far. Those of the world itself, until the draft changes them.
    pub(super) fn lots(&mut self, membership: MembershipId) -> &LotSet {
        let loaded = self.world.lots.get(&membership).unwrap_or(&NO_LOTS);
        let changed = self.changes.lots.iter().filter(|((of, _), _)| *of == membership);
        let mut changed = changed.peekable();
        if changed.peek().is_none() {
            return loaded;
        }
        self.lots.entry(membership).or_insert_with(|| {
            let mut lots = loaded.clone();
            changed.for_each(|((_, key), delta)| lots.apply(*key, *delta));
            lots
        })
    }

    /// One lot as the draft leaves it so far. `None` where it was not loaded.
    pub(super) fn lot(&mut self, membership: MembershipId, key: LotKey) -> Option<Lot> {
        if let Some(lot) = self.lots(membership).lots.get(&key) {
            return Some(*lot);
        }
        let named = self.world.named_lots.get(&(membership, key))?;
        let delta = self.changes.lots.get(&(membership, key)).copied().unwrap_or_default();
        Some(named.after(delta))
    }

    /// Stores an account that one of [`Account`]'s functions made.
    pub(super) fn set_account(&mut self, account: Account) {
        self.changes.accounts.insert(account.membership_id, account);
    }

    /// Posts on a member's account.
    pub(super) fn post_member(
        &mut self,
        lines: &mut Lines,
        membership: MembershipId,
        program: &Program,
        minor: i64,
    ) -> Result<(), Rejection> {
        let account = self.account(membership)?.post(minor).ok_or_else(overflow)?;
        self.set_account(account);
        lines.postings.push(Posting {
            program_id: program.program_id,
            account: ChartAccount::Member,
            amount: Amount::new(minor, program.scale),
            member: Some(MemberPosting {
                membership_id: membership,
                sequence: account.postings,
                balance_after: Amount::new(account.posted, program.scale),
            }),
        });
        Ok(())
    }

    /// Changes a lot, and notes it in the record.
    pub(super) fn move_lot(&mut self, lines: &mut Lines, membership: MembershipId, moved: Moved) {
        let Moved { key, delta, scale } = moved;
        if let Some(lots) = self.lots.get_mut(&membership) {
            lots.apply(key, delta);
        }
        self.changes.move_lot(membership, key, delta);
        lines.lots.push(LotMovement {
            membership_id: membership,
            expires_at: key.expiry.at(),
            origin_month: key.origin.number(),
            exchangeable: key.exchangeable,
            remaining: Amount::new(delta.remaining, scale),
            held: Amount::new(delta.held, scale),
        });
    }

    /// Takes an obligation one step on.
    pub(super) fn step_exposure(
        &mut self,
        step: ExposureStep,
        obligation: &Obligation,
    ) -> Result<Exposure, Rejection> {
        let key = ExposureKey::of(obligation).ok_or_else(|| broken("one partner owes itself"))?;
        let known = self.changes.exposures.get(&key).cloned().unwrap_or_else(|| self.world.exposure(&key));
        let next = known.after(step, &obligation.debtor, obligation.money).ok_or_else(|| match step {
            ExposureStep::Prepare => Rejection::new(
                Reason::ExposureLimit,
                "the partners would owe each other more than the hub can count",
            ),
            ExposureStep::Book => Rejection::new(
                Reason::Overflow,
                "the partners would owe each other more than the hub can count",
            ),
            ExposureStep::Commit | ExposureStep::Release => broken("an exposure that was never prepared"),
        })?;
        self.changes.exposures.insert(key, next.clone());
        Ok(next)
    }

    /// The live holds of an initiator as the draft leaves them so far.
    pub(super) fn live_holds(&self, initiator: &PartnerCode) -> i64 {
        self.changes.live_holds.get(initiator).copied().unwrap_or_else(|| self.world.live_holds(initiator))
    }

    /// Adds to the live holds of an initiator.
    pub(super) fn count_hold(&mut self, initiator: &PartnerCode, by: i64) {
        let count = self.live_holds(initiator).saturating_add(by);
        self.changes.live_holds.insert(initiator.clone(), count);
    }

    /// Makes a record out of its head and lines.
    pub(super) fn record(&mut self, head: Head, lines: Lines) -> Result<Arc<Record>, Rejection> {
        let Head { record_id, kind, mut parties, body } = head;
        parties.sort();
        parties.dedup();
        let record = Record {
            schema: Cow::Borrowed(Record::SCHEMA),
            record_id,
            kind,
            who: self.who(kind),
            parties,
            decided_at: self.world.now,
            window_id: lines.window,
            body,
            postings: lines.postings,
            lots: lines.lots,
            obligations: lines.obligations,
        };
        let salt = self.context.seed.bits("record-salt", &record_id.to_string());
        let sealed =
            SealedRecord::seal(record, salt).map_err(|_| broken("a record without canonical bytes"))?;
        let record = Arc::clone(&sealed.record);
        self.changes.records.push(sealed);
        Ok(record)
    }

    /// Who did it. What time brings is the hub's own doing, whoever's command came across it first.
    fn who(&self, kind: RecordKind) -> String {
        match kind {
            RecordKind::PointsExpired | RecordKind::ExchangeExpired => Caller::sweeper().principal,
            _ => self.context.caller.principal.clone(),
        }
    }

    /// The common end: the command's own record is the answer.
    pub(super) fn done(
        mut self,
        kind: RecordKind,
        parties: Vec<PartnerCode>,
        body: Body,
        lines: Lines,
    ) -> Decision {
        let record_id = self.context.seed.record();
        match self.record(Head { record_id, kind, parties, body }, lines) {
            Ok(record) => Decision { changes: self.changes, answer: Answer::Done(record) },
            Err(rejection) => Decision::refuse(rejection),
        }
    }
}

/// What happens to a lot.
#[derive(Clone, Copy)]
pub(super) struct Moved {
    pub(super) key: LotKey,
    pub(super) delta: LotDelta,
    pub(super) scale: crate::points::Scale,
}

impl Lines {
    /// Posts on an account of a program's chart that is no member's.
    pub(super) fn post(&mut self, program: &Program, account: ChartAccount, minor: i64) {
        if minor != 0 {
            let amount = Amount::new(minor, program.scale);
            self.postings.push(Posting { program_id: program.program_id, account, amount, member: None });
        }
    }

    /// Notes an obligation, which belongs to the window that is open now.
    pub(super) fn owe(&mut self, obligation: Obligation, window: WindowId) {
        self.obligations.push(obligation);
        self.window = Some(window);
    }
}
