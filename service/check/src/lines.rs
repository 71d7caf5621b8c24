//! Lines: postings, lot movements and obligations, once as the records have them and once as they are stored.
//!
//! A record's lines wait here until the row of the same key comes; what still waits at the end is missing.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use crate::content;
use crate::invariant::Invariant;
use crate::names::{Name, Names};
use crate::records::Records;
use crate::report::Findings;

/// What stands in a lot's key for points that never expire.
const NEVER: i64 = i64::MAX;

/// A posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostingLine {
    pub(crate) program: Name,
    pub(crate) account: Name,
    pub(crate) amount: i64,
    pub(crate) member: Option<MemberLine>,
}

/// What a posting says of a member's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberLine {
    pub(crate) membership: Name,
    pub(crate) sequence: i64,
    pub(crate) balance_after: i64,
}

/// Names a lot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LotKey {
    pub(crate) membership: Name,
    pub(crate) expires_at: i64,
    pub(crate) origin_month: i64,
    pub(crate) exchangeable: bool,
}

/// A lot movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MovementLine {
    pub(crate) lot: LotKey,
    pub(crate) remaining: i64,
    pub(crate) held: i64,
}

/// An obligation and its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObligationLine {
    pub(crate) debtor: Name,
    pub(crate) creditor: Name,
    pub(crate) currency: Name,
    pub(crate) money: i64,
    pub(crate) window: Name,
}

impl PostingLine {
    pub(crate) fn of(posting: &content::Posting, names: &mut Names) -> Self {
        let member = posting.member.as_ref().map(|member| MemberLine {
            membership: names.of(&member.membership_id),
            sequence: member.sequence,
            balance_after: member.balance_after.units,
        });
        Self {
            program: names.of(&posting.program_id),
            account: names.of(&posting.account),
            amount: posting.amount.units,
            member,
        }
    }
}

impl MovementLine {
    pub(crate) fn of(movement: &content::Movement, names: &mut Names) -> Self {
        let lot = LotKey {
            membership: names.of(&movement.membership_id),
            expires_at: movement.expires_at.map_or(NEVER, |at| at.0),
            origin_month: movement.origin_month,
            exchangeable: movement.exchangeable,
        };
        Self { lot, remaining: movement.remaining.units, held: movement.held.units }
    }
}

impl ObligationLine {
    pub(crate) fn of(obligation: &content::Obligation, window: &str, names: &mut Names) -> Self {
        Self {
            debtor: names.of(&obligation.debtor),
            creditor: names.of(&obligation.creditor),
            currency: names.of(&obligation.currency),
            money: obligation.money.0,
            window: names.of(window),
        }
    }
}

impl Display for PostingLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} of {}", self.amount, self.account, self.program)?;
        match &self.member {
            Some(member) => {
                let MemberLine { membership, sequence, balance_after } = member;
                write!(f, ", {membership} number {sequence}, balance {balance_after}")
            }
            None => Ok(()),
        }
    }
}

impl Display for LotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expiry = if self.expires_at == NEVER { "never".to_owned() } else { self.expires_at.to_string() };
        let kind = if self.exchangeable { "exchangeable" } else { "bonus" };
        write!(f, "{}/{expiry}/{}/{kind}", self.membership, self.origin_month)
    }
}

impl Display for MovementLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} remaining, {} held on lot {}", self.remaining, self.held, self.lot)
    }
}

impl Display for ObligationLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { debtor, creditor, currency, money, window } = self;
        write!(f, "{debtor} owes {creditor} {money} millionths of {currency} in {window}")
    }
}

/// The lines of one table.
#[derive(Debug)]
pub(crate) struct Lines<L> {
    invariant: Invariant,
    /// The table, as findings name it.
    table: &'static str,
    /// By record, those that no row has come for yet in their places.
    waiting: BTreeMap<Name, Box<[Option<L>]>>,
}

impl<L: PartialEq + Display> Lines<L> {
    pub(crate) fn new(invariant: Invariant, table: &'static str) -> Self {
        Self { invariant, table, waiting: BTreeMap::new() }
    }

    /// Notes the lines of a record, in order.
    pub(crate) fn expect(&mut self, record: &Name, lines: Vec<L>) {
        if !lines.is_empty() {
            self.waiting.insert(record.clone(), lines.into_iter().map(Some).collect());
        }
    }

    /// Compares a stored line with its record. Answers with the line where its record proves nothing.
    pub(crate) fn compare(
        &mut self,
        key: &(Name, i64),
        line: L,
        records: &mut Records,
        findings: &mut Findings,
    ) -> Option<L> {
        let row = format!("{} {}/{}", self.table, key.0, key.1);
        let is_proven = records.proves(&key.0, findings);
        match self.take(key) {
            Some(expected) => {
                findings.compare(self.invariant, row, &expected, &line);
                None
            }
            None if is_proven => {
                findings.checked(self.invariant);
                findings.add(self.invariant, row, "no such line in the record", line);
                None
            }
            None => Some(line),
        }
    }

    /// Reports the lines that were never stored.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        for (record, lines) in &self.waiting {
            for (line, number) in lines.iter().zip(1_i64..) {
                let Some(line) = line else { continue };
                findings.checked(self.invariant);
                findings.add(self.invariant, format!("{} {record}/{number}", self.table), line, "none");
            }
        }
    }

    fn take(&mut self, (record, number): &(Name, i64)) -> Option<L> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.waiting.get_mut(record)?.get_mut(index)?.take()
    }
}
