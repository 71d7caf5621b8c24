//! Pointbridge: the independent proof that no point and no money appears from nothing.
//!
//! [`run`] reads every row of a store on one snapshot, works everything out again from the bytes of the records alone,
//! and says which rows disagree. Nothing here is shared with the rules that decide: decimals, times, canonical bytes,
//! rounding and sums are this crate's own, so that one mistake cannot hide in both.
//!
//! **What is believed.** Record bytes come first: their hash vouches for them. Every other row is compared with what the
//! bytes say, and every sum is taken over the bytes, so that one wrong cell is found once, by one [`Invariant`], under the
//! name of its own row. A record whose own hash is broken vouches for nothing: it is reported, the rows written beside it
//! are taken at their word, and what only it could prove is not judged until it is restored.
//!
//! **Memory.** Rows are taken one by one; the bytes of records are let go at once. Kept are: the lines of records, the legs,
//! and the texts of partners, memberships, codes and consents until their rows come, what each commit
//! moved between which lots, who asked for each record, the
//! postings of accounts as number, amount and balance, one entry per account, lot, reservation, membership and agreement,
//! and every id once. Measured, an exchange of two records comes to 2.3 kilobytes, so that a million of them need 2.3
//! gigabytes.
//!
//! Absent on purpose: repairs, and how a report is printed.
//!
//! **Not judged**, because no record proves it:
//! - whether what was decided was allowed then: standing, consents, the time of link codes, exposure limits (terms may have
//!   changed since);
//! - what no record repeats: hashes of link codes, hashes and times of requests, salts of records, the store's epoch;
//! - which of two memberships has the wrong member id, where nothing but the two disagrees: the one that was joined is
//!   named; nor, of two strangers who share one, which: the later by id is;
//! - how long a reservation is overdue while the store stands still: time is the latest at which it decided something;
//! - whether a tail of records was cut off together with everything that hung on it.

mod approvals;
mod check;
mod consents;
mod content;
mod credentials;
mod exchanges;
mod form;
mod invariant;
mod ledger;
mod legs;
mod lines;
mod members;
mod names;
mod owed;
mod parties;
mod people;
mod records;
mod register;
mod report;
mod requests;
mod reversals;
mod terms;
mod values;

use pointbridge_store::{Store, StoreError};

pub use check::Check;
pub use invariant::Invariant;
pub use report::{Finding, InvariantResult, Report};

/// Checks every row of a store on one snapshot; the store may go on writing meanwhile.
///
/// # Errors
/// [`StoreError`] where the rows cannot be read. What is wrong with them is no error: the report says it.
pub async fn run(store: &impl Store) -> Result<Report, StoreError> {
    let mut check = Check::new();
    let last_now = store.audit(&mut |row| check.see(row)).await?;
    Ok(check.finish(last_now.micros()))
}
