//! The file, the schema and the rows that a store begins with.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pointbridge_store::{AuditRow, Store, StoreError};
use sqlx::{Connection, SqliteConnection};

use super::fixture::{Fixture, START, options};
use crate::rows::Cells;
use crate::{Options, SqliteStore, files};

async fn windows(store: &SqliteStore) -> Vec<AuditRow> {
    let mut rows = Vec::new();
    let mut visit = |row| {
        if matches!(row, AuditRow::Window { .. }) {
            rows.push(row);
        }
    };
    store.audit(&mut visit).await.unwrap();
    rows
}

async fn raw(fixture: &Fixture) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", fixture.path().display())).await.unwrap()
}

#[tokio::test]
async fn a_new_store_is_its_owners_alone_and_has_one_open_window() {
    let fixture = Fixture::new().await;
    for suffix in ["", "-wal"] {
        let file = format!("{}{suffix}", fixture.path().display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(fixture.store.epoch().await, Ok(1));
    let windows = windows(&fixture.store).await;
    assert!(
        matches!(windows.as_slice(), [AuditRow::Window { opens_at: START, closes_at: None, .. }]),
        "{windows:?}"
    );
}

#[tokio::test]
async fn a_store_opened_again_is_the_same_one() {
    let Fixture { store, folder, clock, .. } = Fixture::new().await;
    let before = windows(&store).await;
    store.close().await;
    let path = folder.path().join("hub.db");
    assert!(!path.with_extension("db-wal").exists(), "closing moves the log into the database");
    clock.fetch_sub(3_600_000_000, Ordering::SeqCst);
    let store = SqliteStore::open(Options { migrate: false, ..options(path, &clock) }).await.unwrap();
    assert_eq!(windows(&store).await, before);
    let now = store.audit(&mut |_| ()).await.unwrap();
    assert_eq!(now.micros(), START, "time does not go back with the clock");
}

#[tokio::test]
async fn the_writer_syncs_its_commits_with_a_release_that_loses_none() {
    let fixture = Fixture::new().await;
    let mut transaction = fixture.store.transaction().await.unwrap();
    let mut session = transaction.session().unwrap();
    let row = session.row("pragma synchronous", Vec::new()).await.unwrap().unwrap();
    assert_eq!(row.int("synchronous"), Ok(2), "full");
    let row = session.row("pragma journal_mode", Vec::new()).await.unwrap().unwrap();
    assert_eq!(row.text("journal_mode"), Ok("wal".to_owned()));
    let row = session.row("pragma journal_size_limit", Vec::new()).await.unwrap().unwrap();
    assert_eq!(row.int("journal_size_limit"), Ok(128 << 20), "a log that grew shrinks again");
    let row = session.row("select sqlite_version() as version", Vec::new()).await.unwrap().unwrap();
    let version = row.text("version").unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "SQLite {version} can lose committed pages when its log is reset");
}

#[tokio::test]
async fn a_connection_whose_commits_would_not_last_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("hub.db").display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    for (change, said) in [
        ("pragma synchronous = full", "journal_mode is delete"),
        ("pragma journal_mode = wal", ""),
        ("pragma synchronous = normal", "synchronous is 1"),
        ("pragma synchronous = off", "synchronous is 0"),
    ] {
        sqlx::query(change).execute(&mut conn).await.unwrap();
        match files::require_durable(&mut conn).await {
            Ok(()) => assert_eq!(said, "", "{change}"),
            Err(StoreError::Unavailable(text)) => {
                assert!(!said.is_empty() && text.contains(said), "{change}: {text}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_mark_of_an_open_database_stays_as_long_as_its_log_is_needed() {
    let fixture = Fixture::new().await;
    let (path, mark) = (fixture.path(), fixture.folder.path().join("hub.db-open"));
    let look = Options { migrate: false, ..options(path.clone(), &fixture.clock) };
    assert!(mark.exists());
    // Whoever looks into the database of a hub that serves leaves its log and its mark.
    SqliteStore::open(look.clone()).await.unwrap().close().await;
    assert!(mark.exists() && SqliteStore::pending_migrations(&path).await == Ok(Vec::new()) && mark.exists());
    let Fixture { store, folder, clock, .. } = fixture;
    store.close().await;
    assert!(!mark.exists(), "an end in order takes it away");

    // Of a hub that was killed, whoever closes the database in order moves the log into it.
    std::fs::write(&mark, b"").unwrap();
    std::fs::write(folder.path().join("hub.db-wal"), b"").unwrap();
    SqliteStore::open(look.clone()).await.unwrap().close().await;
    assert!(!mark.exists());

    // Where the log is gone, nobody who looks hides it.
    std::fs::write(&mark, b"").unwrap();
    SqliteStore::open(look).await.unwrap().close().await;
    assert!(mark.exists());
    for result in [
        SqliteStore::open(options(path.clone(), &clock)).await.map(drop),
        SqliteStore::migrate(&path).await,
        SqliteStore::pending_migrations(&path).await.map(drop),
    ] {
        let Err(StoreError::Unavailable(text)) = result else { panic!("{result:?}") };
        assert!(text.contains("hub.db-wal is gone"), "{text}");
    }
    std::fs::remove_file(&mark).unwrap();
    SqliteStore::open(options(path, &clock)).await.unwrap().close().await;
}

#[tokio::test]
async fn without_leave_to_migrate_nothing_is_made_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(START));
    let path = folder.path().join("hub.db");
    let pending = SqliteStore::pending_migrations(&path).await.unwrap();
    assert_eq!(pending[..2], ["0001_foundation", "0002_guards"]);
    assert!(!path.exists());
    let closed = Options { migrate: false, ..options(path.clone(), &clock) };
    assert!(matches!(SqliteStore::open(closed.clone()).await.err(), Some(StoreError::Unavailable(_))));

    std::fs::write(&path, b"").unwrap();
    let error = SqliteStore::open(closed.clone()).await.err();
    assert_eq!(error, Some(StoreError::Schema(format!("migrations are pending: {}", pending.join(", ")))));
    SqliteStore::migrate(&path).await.unwrap();
    SqliteStore::migrate(&path).await.unwrap();
    assert_eq!(SqliteStore::pending_migrations(&path).await, Ok(Vec::new()));
    SqliteStore::open(closed).await.unwrap().close().await;
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    for (change, said) in [
        ("update _sqlx_migrations set version = 9999 where version = 2", "9999 is newer than this program"),
        (
            "update _sqlx_migrations set checksum = x'00'",
            "0001_foundation is in the database with other contents",
        ),
    ] {
        let fixture = Fixture::new().await;
        sqlx::query(change).execute(&mut raw(&fixture).await).await.unwrap();
        let path = fixture.path();
        for result in [
            SqliteStore::open(options(path.clone(), &fixture.clock)).await.map(drop),
            SqliteStore::migrate(&path).await,
            SqliteStore::pending_migrations(&path).await.map(drop),
        ] {
            let Err(StoreError::Schema(text)) = result else { panic!("{change}: {result:?}") };
            assert!(text.contains(said), "{text}");
        }
    }
}
