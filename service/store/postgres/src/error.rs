//! What PostgreSQL's answers mean to the seam.
//!
//! A constraint that refuses what the rules had decided and a guard that fires are broken invariants: the text names the
//! constraint. Three kinds of fault ask for the batch to be decided again, because nothing was written: other transactions
//! were in the way, a row was made meanwhile that was missing before, and the connection broke before the commit was asked for.

use pointbridge_store::StoreError;
use sqlx::postgres::PgDatabaseError;

/// Why a batch may be decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// A deadlock, a serialization failure, or a lock that was waited for too long.
    Overtaken,
    /// A row exists that did not when the batch was loaded.
    Twin,
    /// The connection broke, or the server is going down.
    Cut,
}

/// SQLSTATE codes and classes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
mod code {
    pub(super) const UNIQUE_VIOLATION: &str = "23505";
    pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(super) const QUERY_CANCELED: &str = "57014";
    pub(super) const READ_ONLY: &str = "25006";
    pub(super) const IDLE_TIMEOUT: [&str; 2] = ["25P03", "25P04"];
    pub(super) const NO_SUCH: [&str; 4] = ["42P01", "42703", "42883", "3F000"];
    pub(super) const NO_RIGHT: &str = "42501";
    pub(super) const DISK_FULL: &str = "53100";
}

/// The seam's error for one of sqlx's, and whether the batch may be decided again.
pub(crate) fn judge(error: &sqlx::Error) -> (StoreError, Option<Again>) {
    match error {
        sqlx::Error::Database(told) => {
            let (code, message) = (told.code().unwrap_or_default(), told.message());
            let constraint = told.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::constraint);
            let message = constraint.map_or_else(|| message.to_owned(), |name| format!("{message} ({name})"));
            of_code(&code, message)
        }
        sqlx::Error::Migrate(error) => (StoreError::Schema(error.to_string()), None),
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => (StoreError::Broken(error.to_string()), None),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (StoreError::Unavailable(error.to_string()), Some(Again::Cut))
        }
        // Waiting for a place in the pool took too long, or the configuration is wrong.
        other => (StoreError::Unavailable(other.to_string()), None),
    }
}

/// The seam's error for one of sqlx's.
#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn of(error: sqlx::Error) -> StoreError {
    judge(&error).0
}

/// The seam's error for one that a commit answered with. Only where the server refused the commit itself is it known that nothing
/// was written: a connection that broke, or a server that went down in between, may have done its work before.
pub(crate) fn judge_commit(error: &sqlx::Error) -> (StoreError, Option<Again>) {
    match (error, judge(error)) {
        (sqlx::Error::Database(_), (error, again @ (None | Some(Again::Overtaken | Again::Twin))))
            if !matches!(error, StoreError::Unavailable(_)) =>
        {
            (error, again)
        }
        (_, (told, _)) => (StoreError::OutcomeUnknown(told.to_string()), None),
    }
}

/// A value that no rule can have led to.
pub(crate) fn broken(what: &str) -> StoreError {
    StoreError::Broken(what.to_owned())
}

fn of_code(code: &str, message: String) -> (StoreError, Option<Again>) {
    match code {
        code::UNIQUE_VIOLATION => (StoreError::Broken(message), Some(Again::Twin)),
        code::LOCK_NOT_AVAILABLE => (StoreError::Conflict(message), Some(Again::Overtaken)),
        code::DISK_FULL => (StoreError::Full(message), None),
        code::QUERY_CANCELED | code::READ_ONLY => (StoreError::Unavailable(message), None),
        code if code::IDLE_TIMEOUT.contains(&code) => (StoreError::Unavailable(message), Some(Again::Cut)),
        code if code::NO_SUCH.contains(&code) => (StoreError::Schema(message), None),
        code::NO_RIGHT => {
            (StoreError::Schema(format!("{message}: the role lacks a right; migrate grants it")), None)
        }
        _ => of_class(code, message),
    }
}

fn of_class(code: &str, message: String) -> (StoreError, Option<Again>) {
    match code.get(..2).unwrap_or_default() {
        // Transaction rollback: 40001, 40P01.
        "40" => (StoreError::Conflict(message), Some(Again::Overtaken)),
        // Connection; operator intervention: the server goes down or comes up.
        "08" | "57" => (StoreError::Unavailable(message), Some(Again::Cut)),
        // Too many connections, no memory; wrong password; a system call that failed.
        "53" | "28" | "58" | "3D" => (StoreError::Unavailable(message), None),
        _ => (StoreError::Broken(message), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_answers_as_what_it_is() {
        let text = || "why".to_owned();
        for (code, expected, again) in [
            ("40001", StoreError::Conflict(text()), Some(Again::Overtaken)),
            ("40P01", StoreError::Conflict(text()), Some(Again::Overtaken)),
            ("55P03", StoreError::Conflict(text()), Some(Again::Overtaken)),
            ("23505", StoreError::Broken(text()), Some(Again::Twin)),
            ("23514", StoreError::Broken(text()), None),
            ("23000", StoreError::Broken(text()), None),
            ("22003", StoreError::Broken(text()), None),
            ("53100", StoreError::Full(text()), None),
            ("53300", StoreError::Unavailable(text()), None),
            ("57014", StoreError::Unavailable(text()), None),
            ("57P01", StoreError::Unavailable(text()), Some(Again::Cut)),
            ("57P03", StoreError::Unavailable(text()), Some(Again::Cut)),
            ("08006", StoreError::Unavailable(text()), Some(Again::Cut)),
            ("25P03", StoreError::Unavailable(text()), Some(Again::Cut)),
            ("28P01", StoreError::Unavailable(text()), None),
            ("42P01", StoreError::Schema(text()), None),
            ("XX001", StoreError::Broken(text()), None),
        ] {
            assert_eq!(of_code(code, text()), (expected, again), "{code}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_broken_invariant_and_a_busy_pool_is_not() {
        assert!(matches!(judge(&sqlx::Error::RowNotFound), (StoreError::Broken(_), None)));
        assert!(matches!(judge(&sqlx::Error::PoolTimedOut), (StoreError::Unavailable(_), None)));
        let cut = sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into());
        assert!(matches!(judge(&cut), (StoreError::Unavailable(_), Some(Again::Cut))));
    }

    #[test]
    fn a_commit_whose_connection_broke_is_not_known() {
        let cut = sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into());
        assert!(matches!(judge_commit(&cut), (StoreError::OutcomeUnknown(_), None)));
    }
}
