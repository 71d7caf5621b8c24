//! What can go wrong in a store. Refusals are not errors: they are answers.

/// A store's error. The text is for the operator's log; no caller ever sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or is too busy. Nothing was written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// There is no room. Nothing was written.
    #[error("the database has no room left: {0}")]
    Full(String),
    /// The transaction kept being overtaken. Nothing was written.
    #[error("the transaction kept conflicting with others: {0}")]
    Conflict(String),
    /// The connection broke during the commit: the changes may be there or not. A retry with the same request id tells.
    #[error("whether the transaction was committed is not known: {0}")]
    OutcomeUnknown(String),
    /// The database refused what the rules had decided, or holds what they cannot have written. The process must end: going
    /// on could make it worse.
    #[error("an invariant is broken: {0}")]
    Broken(String),
    /// The database has another schema than this program.
    #[error("the database's schema does not fit this program: {0}")]
    Schema(String),
}
