//! The seam between the rules and a database.
//!
//! A dialect crate implements [`Store`]: it loads what a batch's footprint names, lets the pure decision run, and writes
//! the changes, all in one transaction; it reads for callers within their scope; and it shows every row to the check. The
//! reference implementation, in memory, stands beside the tests; one conformance suite runs on all of them.
//!
//! Absent on purpose: SQL, gRPC, rules.

mod audit;
mod error;
mod pulse;
pub mod trace;
mod view;

use std::future::Future;

use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{Changes, FactQuery, Facts, Footprint, World};

pub use audit::{AuditApproval, AuditCertificate, AuditLeg, AuditPin, AuditRevocation, AuditRow, AuditSide};
pub use error::StoreError;
pub use pulse::Pulse;
pub use view::{
    Admission, AgreementView, ConsentListKey, ConsentView, EndView, ExchangeFilter, ExchangeView,
    ExchangeWithReversals, LinkedMembership, LotView, MembershipName, MembershipView, Page, Paged,
    PostingView, QuoteView, ReversalView, Scope, Views,
};

/// What time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A hold is over.
    Hold(ExchangeId),
    /// An account has lots that are over and not held.
    Lots(MembershipId),
}

/// A database that keeps the hub's state.
pub trait Store: Views + Send + Sync + 'static {
    /// Reads facts: rows, or parts of rows, that never change, without locks. What does not exist is missing.
    ///
    /// # Errors
    /// [`StoreError`].
    fn facts(&self, query: &FactQuery) -> impl Future<Output = Result<Facts, StoreError>> + Send;

    /// Runs one batch in one transaction: takes the open window, locks and loads the footprint in its canonical order,
    /// reads `now` (never earlier than in any batch before that changed something), lets `decide` run, writes its changes
    /// and commits.
    ///
    /// `decide` is pure; where the database asks for the transaction to be run again, so is `decide`. The number of
    /// statements does not depend on how many rows there are. When this answers `Ok`, the changes are on disk.
    ///
    /// # Errors
    /// [`StoreError`]. Nothing was written, except with [`StoreError::OutcomeUnknown`].
    fn transact<T, F>(
        &self,
        footprint: &Footprint,
        decide: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send
    where
        T: Send + 'static,
        F: Fn(World) -> (Changes, T) + Send + Sync;

    /// What time asks for now, at most `limit` of each kind, the longest overdue first.
    ///
    /// # Errors
    /// [`StoreError`].
    fn due(&self, limit: u32) -> impl Future<Output = Result<Vec<Due>, StoreError>> + Send;

    /// What is open at the moment. Its cost grows with what is open, and not with what is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    fn pulse(&self) -> impl Future<Output = Result<Pulse, StoreError>> + Send;

    /// Shows every row that the check reads, on one snapshot, in the order of [`AuditRow`]'s variants and within each by
    /// key. Answers with the latest time that a batch which wrote was decided on, and never with the clock: a batch that wrote
    /// nothing may count or not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn audit(
        &self,
        visit: &mut (dyn FnMut(AuditRow) + Send),
    ) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;
}
