//! What SQLite's result codes mean to the seam.
//!
//! A constraint that refuses what the rules had decided, a guard that fires and a page that cannot be read are broken
//! invariants: the text names the constraint. No room is told apart from no access, because it answers differently.

use pointbridge_store::StoreError;
use sqlx::error::DatabaseError;

/// Primary result codes, the low byte of what SQLite answers: <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const INTERNAL: i32 = 2;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const TOOBIG: i32 = 18;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const MISUSE: i32 = 21;
    pub(super) const RANGE: i32 = 25;
    pub(super) const NOTADB: i32 = 26;
    /// Of IOERR: a write that failed.
    pub(super) const IOERR_WRITE: i32 = 778;
    /// Of IOERR: a write, a sync of file or folder, and a truncation that failed.
    pub(super) const NOT_WRITTEN: [i32; 4] = [778, 1034, 1290, 1546];
}

/// The seam's error for one of sqlx's.
pub(crate) fn of(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => of_database(error.as_ref()),
        sqlx::Error::Migrate(error) => StoreError::Schema(error.to_string()),
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => StoreError::Broken(error.to_string()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// The seam's error for one that a commit answered with. All of a commit's bytes may be in the file where syncing them failed,
/// so that what became of it is not known. Where a write failed, its last frame is not whole: its checksum, which goes over
/// all frames before it too, keeps it from ever counting.
pub(crate) fn of_commit(error: sqlx::Error) -> StoreError {
    let is_known = match &error {
        sqlx::Error::Database(error) => {
            let extended = extended(error.as_ref());
            extended == Some(code::IOERR_WRITE) || extended.map(primary) != Some(code::IOERR)
        }
        _ => false,
    };
    if is_known { of(error) } else { StoreError::OutcomeUnknown(error.to_string()) }
}

/// A value that no rule can have led to.
pub(crate) fn broken(what: &str) -> StoreError {
    StoreError::Broken(what.to_owned())
}

fn extended(error: &dyn DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok()
}

const fn primary(extended: i32) -> i32 {
    extended & 0xff
}

fn of_database(error: &dyn DatabaseError) -> StoreError {
    let extended = extended(error);
    if extended.is_some_and(|code| code::NOT_WRITTEN.contains(&code)) {
        return StoreError::Full(error.message().to_owned());
    }
    of_code(extended.map(primary), error.message())
}

fn of_code(primary: Option<i32>, message: &str) -> StoreError {
    let message = message.to_owned();
    match primary {
        Some(code::FULL) => StoreError::Full(message),
        Some(code::ERROR) if message.starts_with("no such") => StoreError::Schema(message),
        Some(
            code::ERROR
            | code::INTERNAL
            | code::CORRUPT
            | code::TOOBIG
            | code::CONSTRAINT
            | code::MISMATCH
            | code::MISUSE
            | code::RANGE
            | code::NOTADB,
        ) => StoreError::Broken(message),
        // Busy, locked, interrupted, no memory, no access, a read that failed: somebody else's turn, or the machine's fault.
        _ => StoreError::Unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    use sqlx::error::ErrorKind;

    use super::*;

    /// What SQLite would answer with an extended code.
    #[derive(Debug)]
    struct Told(i32);

    impl fmt::Display for Told {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(out, "{}", self.0)
        }
    }

    impl Error for Told {}

    impl DatabaseError for Told {
        fn message(&self) -> &'static str {
            "why"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn of_faults_of_a_commit_only_what_was_written_in_full_and_not_synced_is_not_known() {
        let full = StoreError::Full("why".to_owned());
        let unknown = || StoreError::OutcomeUnknown(String::new());
        for (code, statement, commit) in [
            (13, full.clone(), full.clone()),
            // IOERR_WRITE; IOERR_FSYNC, IOERR_DIR_FSYNC, IOERR_TRUNCATE.
            (778, full.clone(), full.clone()),
            (1034, full.clone(), unknown()),
            (1290, full.clone(), unknown()),
            (1546, full, unknown()),
            // IOERR, IOERR_READ: reading failed on the way.
            (10, StoreError::Unavailable("why".to_owned()), unknown()),
            (266, StoreError::Unavailable("why".to_owned()), unknown()),
            (5, StoreError::Unavailable("why".to_owned()), StoreError::Unavailable("why".to_owned())),
        ] {
            let told = || sqlx::Error::Database(Box::new(Told(code)));
            assert_eq!(of(told()), statement, "{code}");
            match (of_commit(told()), commit) {
                (StoreError::OutcomeUnknown(_), StoreError::OutcomeUnknown(_)) => {}
                (found, expected) => assert_eq!(found, expected, "{code}"),
            }
        }
    }

    #[test]
    fn each_result_code_answers_as_what_it_is() {
        let text = || "why".to_owned();
        for (code, expected) in [
            (1, StoreError::Broken(text())),
            (5, StoreError::Unavailable(text())),
            (6, StoreError::Unavailable(text())),
            (7, StoreError::Unavailable(text())),
            (8, StoreError::Unavailable(text())),
            (9, StoreError::Unavailable(text())),
            (10, StoreError::Unavailable(text())),
            (11, StoreError::Broken(text())),
            (13, StoreError::Full(text())),
            (14, StoreError::Unavailable(text())),
            (19, StoreError::Broken(text())),
            (26, StoreError::Broken(text())),
        ] {
            assert_eq!(of_code(Some(code), "why"), expected, "{code}");
        }
        assert_eq!(
            of_code(Some(1), "no such table: lot"),
            StoreError::Schema("no such table: lot".to_owned())
        );
        assert_eq!(of_code(None, "why"), StoreError::Unavailable(text()));
    }

    #[test]
    fn a_row_that_cannot_be_read_is_a_broken_invariant_and_a_busy_pool_is_not() {
        assert!(matches!(of(sqlx::Error::RowNotFound), StoreError::Broken(_)));
        assert!(matches!(of(sqlx::Error::PoolTimedOut), StoreError::Unavailable(_)));
        assert!(matches!(of(sqlx::Error::WorkerCrashed), StoreError::Unavailable(_)));
    }

    #[test]
    fn a_commit_whose_connection_broke_is_not_known() {
        assert!(matches!(of_commit(sqlx::Error::WorkerCrashed), StoreError::OutcomeUnknown(_)));
    }
}
