//! The file, the schema and the rows that a store begins with.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pointbridge_store::{AuditRow, Store, StoreError};
use sqlx::{Connection, SqliteConnection};

use super::fixture::{Fixture, START, options};
use crate::{Options, SqliteStore};

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
async fn without_leave_to_migrate_nothing_is_made_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(START));
    let path = folder.path().join("hub.db");
    let pending = SqliteStore::pending_migrations(&path).await.unwrap();
    assert_eq!(pending, ["0001_foundation", "0002_guards", "0003_standing"]);
    assert!(!path.exists());
    let closed = Options { migrate: false, ..options(path.clone(), &clock) };
    assert!(matches!(SqliteStore::open(closed.clone()).await.err(), Some(StoreError::Unavailable(_))));

    std::fs::write(&path, b"").unwrap();
    let error = SqliteStore::open(closed.clone()).await.err();
    assert_eq!(
        error,
        Some(StoreError::Schema(
            "migrations are pending: 0001_foundation, 0002_guards, 0003_standing".to_owned()
        ))
    );
    SqliteStore::migrate(&path).await.unwrap();
    SqliteStore::migrate(&path).await.unwrap();
    assert_eq!(SqliteStore::pending_migrations(&path).await, Ok(Vec::new()));
    SqliteStore::open(closed).await.unwrap().close().await;
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    for (change, said) in [
        ("update _sqlx_migrations set version = 9 where version = 2", "0009 is newer than this program"),
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
