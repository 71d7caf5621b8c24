//! Files that are spoilt, cut or missing, and rows that contradict each other: the hub refuses to start, or ends, and says what
//! is wrong and what to do. It repairs nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pointbridge::config::DATABASE_FILE;
use pointbridge_client::Refusal;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use crate::alliance::{Alliance, connect, prepare};
use crate::asks;
use crate::figures::Figures;
use crate::program::{Serving, run_ill, run_well, serve};
use crate::scene::balance;
use crate::small::serve_read_only;
use crate::wal;

/// What ends with a broken invariant ends with this.
const EXIT_BROKEN: i32 = 70;

/// A database and what lies beside it, as bytes.
fn files(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with(DATABASE_FILE) && path.is_file()
        })
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Puts files back as they were, and takes away what came since.
fn put_back(data: &Path, kept: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(data) {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in kept {
        std::fs::write(path, bytes).unwrap();
    }
}

/// Tries to serve, and holds that it is refused in these words and that no byte of the database changed.
async fn assert_refused(data: &Path, words: &[&str]) {
    let database = data.join(DATABASE_FILE);
    let before = std::fs::read(&database).ok();
    let said = Serving::assert_refused(serve(data)).await;
    for word in words.iter().chain(&[database.to_str().unwrap()]) {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(std::fs::read(&database).ok() == before, "a refused start changed the database: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_spoilt_or_missing_files_is_refused_with_what_to_do_and_repairs_nothing() {
    let (alliance, hub) = Alliance::found().await;
    let data = alliance.data();
    let database = data.join(DATABASE_FILE);
    hub.kill().await;
    // What a killed hub leaves: the log holds what was acknowledged last.
    let left = files(&data);
    assert!(wal::extent(&database).committed > 0, "the log holds nothing");
    std::fs::remove_file(wal::path(&database)).unwrap();
    assert_refused(&data, &["pointbridge.db-wal is gone", "put it back", "pointbridge.db-open"]).await;
    let said = run_ill(1, &["migrate", "--data", data.to_str().unwrap()]);
    assert!(said.contains("put it back"), "{said}");
    put_back(&data, &left);

    std::fs::remove_file(wal::path(&database)).unwrap();
    std::fs::create_dir(wal::path(&database)).unwrap();
    assert_refused(&data, &["cannot be opened", "-wal and -shm beside it"]).await;
    std::fs::remove_dir(wal::path(&database)).unwrap();
    put_back(&data, &left);

    // An end in order: everything is in one file.
    let hub = Serving::start_logging(&data, "info").await;
    assert_eq!(hub.terminate().await.code(), Some(0));
    let whole = files(&data);
    assert_eq!(
        whole.len(),
        1,
        "an end in order leaves one file: {:?}",
        whole.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );
    let bytes = &whole[0].1;
    let words = ["cannot be read as a database", "nothing was changed", "restore a backup"];
    let mut spoilt = bytes.clone();
    spoilt[..100].fill(0xa5);
    for (what, damaged) in [
        ("garbage in the header", spoilt),
        ("half of the file", bytes[..bytes.len() / 2].to_vec()),
        ("not a whole page", bytes[..700].to_vec()),
        ("another file", b"these are not the points that you are looking for".repeat(100)),
    ] {
        std::fs::write(&database, &damaged).unwrap();
        assert_refused(&data, &words).await;
        let said = run_ill(1, &["check", "--data", data.to_str().unwrap()]);
        assert!(said.contains("cannot be read as a database"), "{what}: {said}");
        put_back(&data, &whole);
    }
    std::fs::write(&database, b"").unwrap();
    assert_refused(&data, &["is empty", "restore a backup"]).await;
    put_back(&data, &whole);
    let hub = Serving::start_logging(&data, "info").await;
    assert_eq!(hub.terminate().await.code(), Some(0));
    run_well(&["check", "--data", data.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_in_a_folder_that_cannot_be_written_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    prepare(&data);
    let before = files(&data);
    let mut figures = Figures::new("crash-read-only");
    let rights = |mode| std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
    // Where nothing can be mounted, the folder's own rights forbid it, which bind everybody but root.
    let command = match serve_read_only(&data) {
        Some(command) => command,
        None if rustix::process::geteuid().is_root() => {
            figures
                .note("a read-only folder", "not shown: root may mount nothing here, and no rights bind it");
            return figures.publish();
        }
        None => {
            rights(0o500);
            serve(&data)
        }
    };
    let said = Serving::assert_refused(command).await;
    rights(0o700);
    assert!(said.contains("cannot be") && said.contains("pointbridge.db"), "{said}");
    assert!(files(&data) == before, "a refused start left something: {said}");
    run_well(&["check", "--data", data.to_str().unwrap()]);
    figures.note("what a start in a read-only folder says", said.trim().replace('\n', " "));
    figures.publish();
}

/// Opens a database for writing, as nobody but a test does.
async fn write(database: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await.unwrap()
}

/// Everything that a batch could have written.
async fn rows(connection: &mut SqliteConnection) -> Vec<i64> {
    let sql = "select (select count(*) from record), (select count(*) from posting), (select count(*) from request),
               (select sum(posted) from account), (select sum(held) from account)";
    let row = sqlx::query(sql).fetch_one(connection).await.unwrap();
    (0..5).map(|column| row.get(column)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_invariant_rolls_its_batch_back_is_logged_and_ends_the_process_with_70() {
    let (alliance, hub) = Alliance::found().await;
    let data = alliance.data();
    let [at_market, at_airline] = &alliance.people[0];
    let clients = connect(&hub).await;
    let market = &clients["market"];
    market.ledger().accrue_points(asks::accrue(at_market, "1000")).await.unwrap();
    let quote = market.exchanges().quote_exchange(asks::quote(at_market, at_airline, "500")).await.unwrap();
    let request = asks::prepare(&quote.into_inner().quote.unwrap().quote_token, "SM-1");
    let prepared = market.exchanges().prepare_exchange(request).await.unwrap().into_inner().exchange.unwrap();
    assert_eq!(hub.terminate().await.code(), Some(0));

    let mut database = write(&data.join(DATABASE_FILE)).await;
    let changed =
        sqlx::query("update account set held = 0 where held = 500").execute(&mut database).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    let before = rows(&mut database).await;
    database.close().await.unwrap();

    let hub = Serving::start_logging(&data, "info").await;
    let clients = connect(&hub).await;
    let answer = clients["market"].exchanges().commit_exchange(asks::commit(&prepared.exchange_id)).await;
    let refusal = Refusal::from(&answer.expect_err("a hold that is not held is not committed"));
    let (log, ended) = hub.end_with_log().await;
    assert_eq!(ended.code(), Some(EXIT_BROKEN), "{log}");
    assert!(log.contains("an invariant is broken"), "{log}");
    for secret in [at_market.as_str(), at_airline.as_str()] {
        assert!(!log.contains(secret), "a member's id stands in the log: {log}");
    }
    let mut database = write(&data.join(DATABASE_FILE)).await;
    assert_eq!(rows(&mut database).await, before, "the batch left something");
    database.close().await.unwrap();
    // Somebody looked at it and put it right: nothing else is in the way.
    let mut database = write(&data.join(DATABASE_FILE)).await;
    sqlx::query("update account set held = 500 where posted = 1000").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let hub = Serving::start_logging(&data, "info").await;
    let clients = connect(&hub).await;
    clients["market"].exchanges().commit_exchange(asks::commit(&prepared.exchange_id)).await.unwrap();
    assert_eq!(balance(&clients["market"], at_market).await, ["500", "0", "500"]);
    assert_eq!(hub.terminate().await.code(), Some(0));
    run_well(&["check", "--data", data.to_str().unwrap()]);
    let mut figures = Figures::new("crash-broken");
    figures.note("exit code after a broken invariant", EXIT_BROKEN);
    figures.note("what the caller was told", refusal);
    figures.publish();
}
