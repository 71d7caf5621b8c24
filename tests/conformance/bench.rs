//! Stores to hold promises on, and what is checked after each.

use pointbridge_core::command::Answer;
use pointbridge_core::rejection::Reason;
use pointbridge_store::Store;
use pointbridge_store_postgres::PostgresStore;
use pointbridge_store_sqlite::{Options, SqliteStore, StatementHook};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::Hub;
use pointbridge_tests::memory::MemoryStore;
use tempfile::TempDir;

use crate::cluster::{self, Database};

/// A hub on the reference store.
pub(crate) fn memory() -> Hub<MemoryStore> {
    let clock = Clock::default();
    Hub::new(MemoryStore::new(clock.reader()), clock)
}

/// A hub on a new SQLite database, and the folder that goes away with it.
pub(crate) async fn sqlite() -> (Hub<SqliteStore>, TempDir) {
    sqlite_seen_by(None).await
}

/// The same, with the text of every statement shown to `hook`.
pub(crate) async fn sqlite_seen_by(statement_hook: Option<StatementHook>) -> (Hub<SqliteStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    let options = Options {
        path: folder.path().join("hub.db"),
        clock: clock.reader(),
        statement_hook,
        readers: 2,
        migrate: true,
    };
    (Hub::new(SqliteStore::open(options).await.unwrap(), clock), folder)
}

/// A hub on a new PostgreSQL database, as a role that owns nothing, and the database, which goes away with it.
pub(crate) async fn postgres() -> (Hub<PostgresStore>, Database) {
    postgres_seen_by(None).await
}

/// The same, with the text of every statement shown to `hook`.
pub(crate) async fn postgres_seen_by(
    statement_hook: Option<StatementHook>,
) -> (Hub<PostgresStore>, Database) {
    let clock = Clock::default();
    let (store, database) = cluster::store(clock.reader(), statement_hook).await;
    (Hub::new(store, clock), database)
}

/// Does what time asks for and lets the independent check look at everything.
pub(crate) async fn settle<S: Store>(hub: &Hub<S>) {
    hub.sweep().await;
    let report = pointbridge_check::run(&hub.store).await.unwrap();
    assert!(report.rows > 0 && report.is_clean(), "{:#}", report.to_json());
}

/// How many answers are of each kind: done, or refused for this reason.
pub(crate) fn count(answers: &[Answer], refused_for: Reason) -> (usize, usize) {
    let done = answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count();
    let refused = answers.iter().filter(|answer| match answer {
        Answer::Refused(rejection) => rejection.reason == refused_for,
        _ => false,
    });
    (done, refused.count())
}
