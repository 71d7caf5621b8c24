//! Accounts and lots: sums of what the records posted and moved, against what is stored.
//!
//! Kept: per account its chain of postings (number, amount, balance), what it has and holds so far, and its row; per lot
//! the two sums and its row.

use std::collections::BTreeMap;

use crate::exchanges::Holds;
use crate::invariant::Invariant;
use crate::lines::{LotKey, MovementLine, PostingLine};
use crate::names::Name;
use crate::records::Records;
use crate::report::Findings;

/// The kinds that end a hold.
const ENDS: [&str; 3] = ["EXCHANGE_COMMITTED", "EXCHANGE_ABORTED", "EXCHANGE_EXPIRED"];

/// A row of `account`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountRow {
    pub(crate) posted: i64,
    pub(crate) held: i64,
    pub(crate) postings: i64,
    pub(crate) live_holds: i64,
}

/// Two amounts of a lot, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LotSums {
    pub(crate) remaining: i128,
    pub(crate) held: i128,
}

#[derive(Debug)]
struct Step {
    record: Name,
    number: i64,
    sequence: i64,
    amount: i64,
    balance_after: i64,
}

#[derive(Debug, Default)]
struct Chain {
    /// In the order in which the records were written.
    steps: Vec<Step>,
    /// Whether some steps come from rows alone, whose place in that order is not known.
    has_rows: bool,
    /// What the records posted and hold so far.
    posted: i128,
    held: i128,
    /// The first that took more than was available.
    overdraft: Option<Overdraft>,
}

/// Where an account had less than it held.
#[derive(Debug)]
struct Overdraft {
    row: String,
    available: i128,
}

impl Chain {
    fn sum(&self) -> i128 {
        self.steps.iter().map(|step| i128::from(step.amount)).sum()
    }

    /// Notes the first row after which less than nothing is available. A sum below zero is the sequence's own flaw.
    fn judge_available(&mut self, row: impl FnOnce() -> String) {
        let available = self.posted - self.held;
        if self.overdraft.is_none() && self.posted >= 0 && available < 0 {
            self.overdraft = Some(Overdraft { row: row(), available });
        }
    }
}

/// Where a posting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A record's bytes.
    Record,
    /// A row whose record proves nothing.
    Row,
}

/// Accounts and lots.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    chains: BTreeMap<Name, Chain>,
    accounts: BTreeMap<Name, AccountRow>,
    lots: BTreeMap<LotKey, LotSums>,
    lot_rows: BTreeMap<LotKey, LotSums>,
}

impl Ledger {
    /// Every membership has an account from the beginning.
    pub(crate) fn open(&mut self, membership: &Name) {
        self.chains.entry(membership.clone()).or_default();
    }

    pub(crate) fn post(&mut self, key: (Name, i64), line: &PostingLine, origin: Origin) {
        let Some(member) = &line.member else { return };
        let chain = self.chains.entry(member.membership.clone()).or_default();
        match origin {
            Origin::Record => {
                chain.posted += i128::from(line.amount);
                chain.judge_available(|| format!("posting {}/{}", key.0, key.1));
            }
            Origin::Row => chain.has_rows = true,
        }
        chain.steps.push(Step {
            record: key.0,
            number: key.1,
            sequence: member.sequence,
            amount: line.amount,
            balance_after: member.balance_after,
        });
    }

    /// A phase of an exchange changed what is held of an account. Comes before the postings of the same record.
    pub(crate) fn hold(&mut self, membership: &Name, change: i128) {
        let chain = self.chains.entry(membership.clone()).or_default();
        chain.held += change;
        chain.judge_available(|| format!("account {membership}"));
    }

    pub(crate) fn move_lot(&mut self, line: &MovementLine) {
        let sums = self.lots.entry(line.lot.clone()).or_default();
        sums.remaining += i128::from(line.remaining);
        sums.held += i128::from(line.held);
    }

    pub(crate) fn account_row(&mut self, membership: Name, row: AccountRow) {
        self.accounts.insert(membership, row);
    }

    pub(crate) fn lot_row(&mut self, lot: LotKey, row: LotSums) {
        self.lot_rows.insert(lot, row);
    }

    /// Takes every stored account for one that was opened: where the records that would say so prove nothing.
    pub(crate) fn open_all_stored(&mut self) {
        for membership in self.accounts.keys() {
            self.chains.entry(membership.clone()).or_default();
        }
    }

    /// Judges everything. `holds` is what the live reservations hold of each account. What was available on the way is
    /// known only where every end of a hold can be read.
    pub(crate) fn finish(
        &mut self,
        holds: &BTreeMap<Name, Holds>,
        records: &Records,
        findings: &mut Findings,
    ) {
        let is_way_known = !records.have_gap(&ENDS);
        for chain in self.chains.values_mut() {
            if chain.has_rows {
                chain.steps.sort_by_key(|step| step.sequence);
            }
            judge_sequence(&chain.steps, findings);
        }
        let mut overdrawn = Vec::new();
        let none = Chain::default();
        let mut memberships: Vec<&Name> = self.chains.keys().chain(self.accounts.keys()).collect();
        memberships.sort();
        memberships.dedup();
        for membership in memberships {
            let chain = self.chains.get(membership).unwrap_or(&none);
            let held = holds.get(membership).copied().unwrap_or_default();
            findings.checked(Invariant::AccountAvailable);
            let on_the_way = chain.overdraft.as_ref().filter(|_| is_way_known && !chain.has_rows);
            let available = chain.sum() - held.points;
            let overdraft = match on_the_way {
                Some(first) => Some((first.row.clone(), first.available)),
                None => (available < 0).then(|| (format!("account {membership}"), available)),
            };
            if let Some((row, available)) = overdraft {
                findings.add(Invariant::AccountAvailable, row, "0 or more available", available);
                overdrawn.push(membership);
            }
            let is_open = self.chains.contains_key(membership);
            judge_account(
                membership,
                is_open.then_some(chain),
                held,
                self.accounts.get(membership),
                findings,
            );
        }
        self.judge_lots(&overdrawn, findings);
    }

    fn judge_lots(&self, overdrawn: &[&Name], findings: &mut Findings) {
        let mut keys: Vec<&LotKey> = self.lots.keys().chain(self.lot_rows.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            let expected = self.lots.get(key).copied();
            let found = self.lot_rows.get(key).copied();
            let sums = expected.unwrap_or_default();
            findings.checked(Invariant::LotAvailable);
            let is_sound = sums.held >= 0 && sums.remaining >= sums.held;
            // An account that holds more than it has does so in a lot too; it is reported already.
            if !is_sound && !overdrawn.contains(&&key.membership) {
                let row = format!("lot {key}");
                findings.add(Invariant::LotAvailable, row, "0 <= held <= remaining", text(expected));
            }
            // A lot that is used up may be kept or dropped.
            if found.is_none() && sums == LotSums::default() {
                continue;
            }
            findings.compare(Invariant::LotRows, format!("lot {key}"), &text(expected), &text(found));
        }
    }
}

fn text(sums: Option<LotSums>) -> String {
    let text = |sums: LotSums| format!("{} remaining, {} held", sums.remaining, sums.held);
    sums.map_or_else(|| "none".to_owned(), text)
}

/// Reports the first posting of an account that is out of line; what follows it hangs on it.
fn judge_sequence(steps: &[Step], findings: &mut Findings) {
    let mut balance: i128 = 0;
    for (step, sequence) in steps.iter().zip(1_i64..) {
        findings.checked(Invariant::AccountSequence);
        balance += i128::from(step.amount);
        let expected = format!("number {sequence}, balance {balance}");
        let found = format!("number {}, balance {}", step.sequence, step.balance_after);
        let row = || format!("posting {}/{}", step.record, step.number);
        if expected != found {
            findings.add(Invariant::AccountSequence, row(), expected, found);
            return;
        }
        if balance < 0 {
            findings.add(Invariant::AccountSequence, row(), "a balance of 0 or more", found);
            return;
        }
    }
}

fn judge_account(
    membership: &Name,
    chain: Option<&Chain>,
    held: Holds,
    row: Option<&AccountRow>,
    findings: &mut Findings,
) {
    let name = || format!("account {membership}");
    let (chain, account) = match (chain, row) {
        (Some(chain), Some(account)) => (chain, account),
        (chain, _) => {
            let [expected, found] =
                if chain.is_some() { ["an account", "none"] } else { ["none", "an account"] };
            findings.checked(Invariant::AccountPosted);
            findings.add(Invariant::AccountPosted, name(), expected, found);
            return;
        }
    };
    let postings = i128::try_from(chain.steps.len()).unwrap_or(i128::MAX);
    for (invariant, expected, found) in [
        (Invariant::AccountPosted, chain.sum(), account.posted),
        (Invariant::AccountHeld, held.points, account.held),
        (Invariant::AccountPostings, postings, account.postings),
        (Invariant::AccountLiveHolds, held.count, account.live_holds),
    ] {
        findings.compare(invariant, name(), &expected, &i128::from(found));
    }
}
