//! Copies of a live database, and putting one in its place.

use std::path::Path;

use pointbridge_core::command::{RevokeCertificate, SuspendPartner};
use pointbridge_core::text::ReasonCode;
use pointbridge_store::{Store, StoreError};

use super::fixture::{Fixture, code, operator, options, run};
use crate::rows::Cells;
use crate::session::Session;
use crate::{Lock, Options, SqliteStore, Still, begin_epoch, copy, extent, replace, settle, system_clock};

fn reason() -> ReasonCode {
    ReasonCode::new("STOLEN").unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn records(store: &SqliteStore) -> u64 {
    let mut records = 0;
    let mut visit = |row| records += u64::from(matches!(row, pointbridge_store::AuditRow::Record { .. }));
    store.audit(&mut visit).await.unwrap();
    records
}

#[tokio::test]
async fn a_copy_of_a_store_that_goes_on_is_whole_sound_and_of_its_moment() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    fixture.committed(&pair, 300).await;
    let before = records(&fixture.store).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy #1 100%?.db");
    assert!(extent(&fixture.path()).await.unwrap().log > 0);
    copy(&fixture.path(), &to).await.unwrap();
    run(&fixture.store, &[Fixture::accrual(pair.source, "5")]).await.unwrap();

    let mut still = Still::open(&to).await.unwrap();
    assert_eq!(still.damage().await, Ok(Vec::new()));
    let contents = still.contents().await.unwrap().unwrap();
    assert_eq!(u64::try_from(contents.records).unwrap(), before);
    assert_eq!((contents.epoch, contents.migrations_pending.len()), (1, 0));
    assert!(contents.last_record.is_some() && contents.migrations.len() >= 4);
    assert_eq!(still.newest_link_code().await.unwrap().map(|(_, hash)| hash), Some([7; 32]));
    still.close().await.unwrap();

    let store = SqliteStore::open_still(&to, system_clock().unwrap()).await.unwrap();
    assert_eq!(records(&store).await, before);
    store.close().await;
    assert_eq!(names(folder.path()), ["copy #1 100%?.db"], "who reads a copy leaves nothing beside it");
    // What is there is not written over.
    assert!(copy(&fixture.path(), &to).await.is_err());
}

#[tokio::test]
async fn damage_to_a_copy_is_found() {
    let fixture = Fixture::new().await;
    fixture.pair().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    copy(&fixture.path(), &to).await.unwrap();
    let whole = std::fs::read(&to).unwrap();
    let mut spoilt = whole.clone();
    let middle = whole.len() / 8192 * 4096;
    spoilt[middle..middle + 4096].fill(0xa5);
    for bad in [&whole[..whole.len() - 4096], &spoilt, b"no database at all, but long enough to be looked at"]
    {
        std::fs::write(&to, bad).unwrap();
        let found = match Still::open(&to).await {
            Ok(mut still) => still.damage().await,
            Err(error) => Err(error),
        };
        assert!(found.as_ref().is_err() || found.as_ref().is_ok_and(|lines| !lines.is_empty()), "{found:?}");
    }
}

#[tokio::test]
async fn what_a_copy_lacks_is_counted_and_what_took_trust_away_is_shown() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    copy(&fixture.path(), &to).await.unwrap();
    fixture.committed(&pair, 300).await;
    let fingerprint = [3; 32];
    fixture.done(operator(), RevokeCertificate { fingerprint, reason: reason() }).await;
    fixture.done(operator(), SuspendPartner { code: code("market"), reason: reason() }).await;
    let Fixture { store, folder: data, .. } = fixture;
    let path = data.path().join("hub.db");
    assert!(matches!(settle(&path).await, Err(StoreError::Unavailable(_))), "somebody has it open");
    store.close().await;
    settle(&path).await.unwrap();
    let mut still = Still::open(&path).await.unwrap();
    let tail = still.tail_after(&to).await.unwrap();
    let kinds: Vec<(&str, i64)> =
        tail.missing.iter().map(|kind| (kind.kind.as_str(), kind.records)).collect();
    assert_eq!(
        kinds,
        [
            ("CERTIFICATE_REVOKED", 1),
            ("EXCHANGE_COMMITTED", 1),
            ("EXCHANGE_PREPARED", 1),
            ("PARTNER_SUSPENDED", 1)
        ]
    );
    let endings: Vec<&str> = tail.endings.iter().map(|ending| ending.record.kind.as_str()).collect();
    assert_eq!(endings, ["CERTIFICATE_REVOKED", "PARTNER_SUSPENDED"]);
    assert_eq!(tail.only_in_other, 0);
    assert!(tail.in_common > 5);
    // The other way round: nothing is missing, and four records are only in the other.
    let tail = Still::open(&to).await.unwrap().tail_after(&path).await.unwrap();
    assert_eq!((tail.missing.len(), tail.endings.len(), tail.only_in_other), (0, 0, 4));
}

#[tokio::test]
async fn a_replaced_database_is_kept_beside_the_new_one_which_has_an_epoch_of_its_own() {
    let fixture = Fixture::new().await;
    fixture.pair().await;
    let staging = tempfile::tempdir_in(fixture.folder.path()).unwrap();
    let new = staging.path().join("hub.db");
    copy(&fixture.path(), &new).await.unwrap();
    let path = fixture.path();
    assert!(Lock::alone(&path).unwrap().is_none(), "the store is open");
    let Fixture { store, folder, clock, .. } = fixture;
    store.close().await;
    let lock = Lock::alone(&path).unwrap().expect("nobody has it open");
    let clocks = system_clock().unwrap();
    begin_epoch(&new, 7, (clocks)()).await.unwrap();
    assert!(begin_epoch(&new, 7, (clocks)()).await.is_err(), "an epoch only grows");
    // As after a crash: a log and a mark that are the old one's.
    std::fs::write(path.with_extension("db-wal"), b"the old one's").unwrap();
    std::fs::write(path.with_extension("db-open"), b"").unwrap();
    let before = std::fs::read(&path).unwrap();
    let kept = replace(&path, &new).unwrap().unwrap();
    assert_eq!(kept, folder.path().join("hub.db.before-restore-1"));
    assert_eq!(std::fs::read(&kept).unwrap(), before);
    assert_eq!(std::fs::read(folder.path().join("hub.db.before-restore-1-wal")).unwrap(), b"the old one's");
    assert!(!path.with_extension("db-wal").exists() && !path.with_extension("db-open").exists());
    drop(lock);
    let store = SqliteStore::open(Options { migrate: false, ..options(path.clone(), &clock) }).await.unwrap();
    assert_eq!(store.epoch().await, Ok(7));
    store.close().await;
    copy(&path, &new).await.unwrap();
    assert_eq!(replace(&path, &new).unwrap().unwrap(), folder.path().join("hub.db.before-restore-2"));
}

#[tokio::test]
async fn a_log_without_its_database_is_moved_away_before_the_new_one_comes() {
    let fixture = Fixture::new().await;
    fixture.pair().await;
    let path = fixture.path();
    let folder = fixture.folder.path().to_owned();
    let staging = tempfile::tempdir_in(&folder).unwrap();
    let new = staging.path().join("hub.db");
    copy(&path, &new).await.unwrap();
    fixture.done(operator(), SuspendPartner { code: code("market"), reason: reason() }).await;
    // A real log, whose pages fit into any copy of its database.
    let log = std::fs::read(path.with_extension("db-wal")).unwrap();
    assert!(log.len() > 4096);
    let Fixture { store, folder: _kept, clock, .. } = fixture;
    store.close().await;
    std::fs::remove_file(&path).unwrap();
    for left in ["db-wal", "db-shm", "db-journal"] {
        std::fs::write(path.with_extension(left), &log).unwrap();
    }
    assert!(SqliteStore::has_left_only_its_log(&path));
    let Err(StoreError::Unavailable(said)) = SqliteStore::open(options(path.clone(), &clock)).await else {
        panic!("a new database took the place of one whose log is there")
    };
    assert!(said.contains("is gone") && said.contains("restore a backup"), "{said}");
    assert_eq!(std::fs::read(path.with_extension("db-wal")).unwrap(), log);
    begin_epoch(&new, 7, (system_clock().unwrap())()).await.unwrap();
    let expected = std::fs::read(&new).unwrap();
    let kept = replace(&path, &new).unwrap().unwrap();
    assert_eq!(kept, folder.join("hub.db.before-restore-1-journal"));
    assert_eq!(std::fs::read(folder.join("hub.db.before-restore-1-wal")).unwrap(), log);
    for gone in ["db-wal", "db-shm", "db-journal", "db-open"] {
        assert!(!path.with_extension(gone).exists(), "{gone}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), expected);
    let store = SqliteStore::open(Options { migrate: false, ..options(path.clone(), &clock) }).await.unwrap();
    assert_eq!(store.epoch().await, Ok(7));
    store.close().await;
}

#[tokio::test]
async fn a_copy_needs_the_log_of_a_hub_that_was_killed() {
    let fixture = Fixture::new().await;
    let path = fixture.path();
    let Fixture { store, folder, .. } = fixture;
    store.close().await;
    std::fs::write(path.with_extension("db-open"), b"").unwrap();
    let to = folder.path().join("copy.db");
    let Err(StoreError::Unavailable(said)) = copy(&path, &to).await else { panic!("it was copied") };
    assert!(said.contains("hub.db-wal is gone"), "{said}");
    assert!(!to.exists());
}

#[tokio::test]
async fn a_database_that_no_hub_has_served_has_no_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    SqliteStore::migrate(&path).await.unwrap();
    assert_eq!(crate::contents(&path).await, Ok(None));
    assert_eq!(Still::open(&path).await.unwrap().contents().await, Ok(None));
}

#[tokio::test]
async fn nobody_writes_through_a_copy_that_is_read() {
    let fixture = Fixture::new().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    copy(&fixture.path(), &to).await.unwrap();
    let mut still = Still::open(&to).await.unwrap();
    let mut session = Session::new(&mut still.conn, None);
    assert!(session.run("update store_state set epoch = 9", Vec::new()).await.is_err());
    let row = session.row("select epoch from store_state", Vec::new()).await.unwrap().unwrap();
    assert_eq!(row.int("epoch"), Ok(1));
}
