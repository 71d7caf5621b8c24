//! Backups and restores of the real program: made under load, cut short, damaged, put back, and served again.
//!
//! What the backup holds is read from its own file, so that the hub's answers after a restore are held against something that
//! the hub has not made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pointbridge::config::DATABASE_FILE;
use pointbridge_client::{Client, Refusal, v1};
use pointbridge_core::ids::MembershipId;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use tokio::task::JoinSet;
use tonic::Status;

use crate::alliance::{Alliance, connect};
use crate::asks;
use crate::diary::{Acknowledged, Diary};
use crate::figures::Figures;
use crate::harness::until;
use crate::load::{Board, Unanswered, Writer, run, writers};
use crate::program::{Serving, command_of, path, run_ill, run_well};
use crate::scene::{balance, grant};
use crate::starts::run_and_kill;

/// Acknowledged calls before the backup, and after it.
const CALLS: usize = 60;
/// How often a backup, and a restore, is killed.
const KILLS: u64 = 8;
/// A whole backup or restore takes less than this here, mostly.
const DELAY_MILLIS_MAX: u64 = 1_200;
/// Blocks of 512 bytes: less than any hub's database.
const LIMIT_BLOCKS: &str = "64";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn back_up(data: &Path, to: &Path) -> Value {
    let said = run_well(&["backup", "--data", text(data), "--to", text(to), "--json"]);
    serde_json::from_str(&said).unwrap()
}

fn restore(data: &Path, from: &Path, accept: &str) -> Value {
    let mut arguments = vec!["restore", "--data", text(data), "--from", text(from), "--json"];
    if !accept.is_empty() {
        arguments.extend(["--accept", accept]);
    }
    serde_json::from_str(&run_well(&arguments)).unwrap()
}

fn check(data: &Path) {
    run_well(&["check", "--data", text(data)]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    Refusal::from(&answer.expect_err("it is refused")).reason
}

/// Posted points of every membership, from a database's own file.
async fn posted_in(database: &Path) -> BTreeMap<String, i64> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).immutable(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let rows =
        sqlx::query("select membership_id, posted from account").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let id = |bytes: Vec<u8>| MembershipId::new(uuid::Uuid::from_slice(&bytes).unwrap()).to_string();
    rows.iter().map(|row| (id(row.get(0)), row.get(1))).collect()
}

async fn prepare(
    client: &Client,
    from: &str,
    to: &str,
    order: &str,
) -> (v1::PrepareExchangeRequest, v1::Exchange) {
    let quote = client.exchanges().quote_exchange(asks::quote(from, to, "100")).await.unwrap();
    let request = asks::prepare(&quote.into_inner().quote.unwrap().quote_token, order);
    let answer = client.exchanges().prepare_exchange(request.clone()).await.unwrap();
    (request, answer.into_inner().exchange.unwrap())
}

/// How the hub ends before the restore.
#[derive(Clone, Copy, PartialEq)]
enum End {
    InOrder,
    Killed,
}

/// What was done before the backup, and after it.
struct Doings {
    prepared: v1::Exchange,
    quoted: v1::Quote,
    lost: v1::Exchange,
    accrual: v1::AccruePointsRequest,
    revocation: v1::RevokeCertificateRequest,
    /// Those who go on until the hub is gone.
    running: JoinSet<(Writer, Option<Unanswered>, Vec<Acknowledged>)>,
}

/// Works on the hub, backs it up in the middle, works on.
async fn work_around_a_backup(alliance: &Alliance, hub: &Serving, to: &Path, end: End) -> (Doings, Value) {
    let clients = connect(hub).await;
    let [at_market, at_airline] = &alliance.people[0];
    let market = &clients["market"];
    market.ledger().accrue_points(asks::accrue(at_market, "1000")).await.unwrap();
    let (_, prepared) = prepare(market, at_market, at_airline, "SM-BEFORE").await;
    let quote = market.exchanges().quote_exchange(asks::quote(at_market, at_airline, "100")).await.unwrap();
    let quoted = quote.into_inner().quote.unwrap();

    let board = Arc::new(Board::default());
    let diary = Arc::new(Diary::create(&alliance.beside("diary")));
    let mut running = run(writers(alliance, 7), &clients, &board, &diary);
    let acknowledged = || board.acknowledged.load(Ordering::SeqCst);
    let reaches = |count: usize| until("calls", async move || (acknowledged() >= count).then_some(()));
    reaches(CALLS).await;
    let (data, to_path) = (alliance.data(), to.to_owned());
    let made = tokio::task::spawn_blocking(move || back_up(&data, &to_path)).await.unwrap();
    reaches(acknowledged() + CALLS).await;

    let accrual = asks::accrue(&alliance.babies[0], "7");
    clients["babycare"].ledger().accrue_points(accrual.clone()).await.unwrap();
    let (_, lost) = prepare(market, at_market, at_airline, "SM-LOST").await;
    market.exchanges().commit_exchange(asks::commit(&lost.exchange_id)).await.unwrap();
    let operator = hub.client("operator.wang").await;
    let revocation = asks::revoke_certificate(&"ab".repeat(32));
    operator.partners().revoke_certificate(revocation.clone()).await.unwrap();
    if end == End::InOrder {
        board.enough.store(true, Ordering::SeqCst);
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
        operator.partners().suspend_partner(asks::suspend("babycare")).await.unwrap();
    }
    (Doings { prepared, quoted, lost, accrual, revocation, running }, made)
}

/// The whole way: under load, a backup, more load, an end, a restore, and the hub again.
async fn drill(end: End) -> Figures {
    let (alliance, hub) = Alliance::found().await;
    let (data, to) = (alliance.data(), alliance.beside("backup.db"));
    let (mut doings, made) = work_around_a_backup(&alliance, &hub, &to, end).await;
    let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(&to)]);
    assert!(said.contains("is open") && said.contains("stop the hub"), "{said}");
    match end {
        End::InOrder => assert_eq!(hub.terminate().await.code(), Some(0)),
        End::Killed => hub.kill().await,
    }
    while let Some(ended) = doings.running.join_next().await {
        ended.unwrap();
    }
    let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(&to)]);
    assert!(said.contains("--accept lost-records: ") && said.contains("nothing was changed"), "{said}");
    let present = posted_in(&data.join(DATABASE_FILE)).await;
    let done = restore(&data, &to, "lost-records");
    assert_eq!((&done["epoch"], &done["epoch_before"]), (&2.into(), &1.into()), "{done}");
    let kept = PathBuf::from(done["kept"].as_str().unwrap());
    assert_eq!(posted_in(&kept).await, present, "the old database stays as it was");
    assert_eq!(
        done["missing"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|kind| kind["kind"] == "CERTIFICATE_REVOKED")
            .count(),
        1
    );
    let again: Vec<&Value> =
        done["shut_out_again"].as_array().unwrap().iter().map(|one| &one["fate"]).collect();
    assert_eq!(again.len(), if end == End::InOrder { 2 } else { 1 }, "{done}");
    assert!(again.iter().all(|fate| **fate == "holds again"), "{done}");
    check(&data);
    assert_eq!(posted_in(&data.join(DATABASE_FILE)).await, posted_in(&to).await);

    let hub = Serving::start_logging(&data, "info").await;
    assert_served_as_of_the_backup(&alliance, &hub, &to, &doings, end).await;
    assert_eq!(hub.terminate().await.code(), Some(0));
    check(&data);
    let mut figures = Figures::new(if end == End::Killed { "restore-after-kill" } else { "restore" });
    figures.note("bytes of the backup", &made["manifest"]["bytes"]);
    figures.note("records in it", &made["manifest"]["records"]);
    figures.note("bytes of the log when the copy was done", &made["log_bytes"]);
    let lost: i64 =
        done["missing"].as_array().unwrap().iter().map(|kind| kind["records"].as_i64().unwrap()).sum();
    figures.note("records that were lost, and told", lost);
    figures
}

async fn assert_served_as_of_the_backup(
    alliance: &Alliance,
    hub: &Serving,
    to: &Path,
    doings: &Doings,
    end: End,
) {
    let clients = connect(hub).await;
    let expected = posted_in(to).await;
    for (code, membership) in alliance.memberships() {
        let [posted, ..] = balance(&clients[code], membership).await;
        assert_eq!(posted, expected[membership].to_string(), "{membership}");
    }
    let market = &clients["market"];
    // What was shut out after the backup is shut out, and a retry is answered as ever.
    let operator = hub.client("operator.wang").await;
    if end == End::InOrder {
        let suspended = operator.partners().suspend_partner(asks::suspend("babycare")).await;
        assert_eq!(refusal(suspended), "PARTNER_NOT_ACTIVE");
    }
    operator.partners().revoke_certificate(doings.revocation.clone()).await.unwrap();
    let another = asks::revoke_certificate(&"ab".repeat(32));
    assert_eq!(refusal(operator.partners().revoke_certificate(another).await), "CERTIFICATE_ALREADY_REVOKED");
    // A quote of the epoch before is worth nothing; what was prepared in the backup can be committed, once.
    let stale = asks::prepare(&doings.quoted.quote_token, "SM-STALE");
    assert_eq!(refusal(market.exchanges().prepare_exchange(stale).await), "EPOCH_CHANGED");
    let [at_market, at_airline] = &alliance.people[0];
    let commit = asks::commit(&doings.prepared.exchange_id);
    let first = market.exchanges().commit_exchange(commit.clone()).await.unwrap().into_inner();
    let second = market.exchanges().commit_exchange(commit).await.unwrap().into_inner();
    assert_eq!(first, second);
    // What was done after the backup is not there, and its request ids are new ones.
    assert_eq!(
        refusal(market.exchanges().commit_exchange(asks::commit(&doings.lost.exchange_id)).await),
        "EXCHANGE_NOT_FOUND"
    );
    if end == End::Killed {
        let before: i64 = expected[&alliance.babies[0]];
        for _ in 0..2 {
            clients["babycare"].ledger().accrue_points(doings.accrual.clone()).await.unwrap();
        }
        let [posted, ..] = balance(&clients["babycare"], &alliance.babies[0]).await;
        assert_eq!(posted, (before + 7).to_string(), "done afresh, once");
    } else {
        assert_eq!(
            refusal(clients["babycare"].ledger().accrue_points(doings.accrual.clone()).await),
            "PARTNER_SUSPENDED"
        );
        let (_, exchange) = prepare(market, at_market, at_airline, "SM-AFTER").await;
        market.exchanges().commit_exchange(asks::commit(&exchange.exchange_id)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_under_load_is_backed_up_restored_and_serves_on_as_of_the_backup() {
    drill(End::InOrder).await.publish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_is_restored_from_a_backup_that_was_made_under_load() {
    drill(End::Killed).await.publish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cut_short_has_no_name_and_one_without_room_leaves_nothing() {
    let (alliance, hub) = Alliance::found().await;
    let (data, folder) = (alliance.data(), alliance.beside("backups"));
    std::fs::create_dir(&folder).unwrap();
    let to = folder.join("hub.db");
    let mut cut_short = 0;
    for number in 0..KILLS {
        let arguments = ["backup", "--data", text(&data), "--to", text(&to)];
        let delay = Duration::from_millis(DELAY_MILLIS_MAX * number / KILLS);
        cut_short += u64::from(run_and_kill(&arguments, delay));
        if to.exists() {
            // Whatever has the name is whole: a manifest lies beside it, and says what it is.
            let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(&to)]);
            assert!(said.contains("is open"), "{said}");
            assert!(folder.join("hub.db.json").exists());
            std::fs::remove_file(&to).unwrap();
        }
    }
    assert!(cut_short > 0, "none was killed in the middle");
    let made = back_up(&data, &to);
    assert_eq!(names(&folder), ["hub.db", "hub.db.json"], "what was cut short is gone");
    assert_eq!(made["manifest"]["books_proven"], true);
    let said = run_ill(1, &["backup", "--data", text(&data), "--to", text(&to)]);
    assert!(said.contains("exists") && said.contains("never written over"), "{said}");

    let script = format!("ulimit -f {LIMIT_BLOCKS}; exec \"$0\" backup --data \"$1\" --to \"$2\"");
    let small = folder.join("small.db");
    let output =
        command_of(Path::new("sh"), &["-c", &script, text(&path()), text(&data), text(&small)]).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no room in") && said.contains("nothing was left there"), "{said}");
    assert_eq!(names(&folder), ["hub.db", "hub.db.json"]);
    assert_eq!(hub.terminate().await.code(), Some(0));
    check(&data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_and_one_that_does_not_fit_are_refused_and_change_nothing() {
    let (alliance, hub) = Alliance::found().await;
    let (data, to) = (alliance.data(), alliance.beside("backup.db"));
    back_up(&data, &to);
    assert_eq!(hub.terminate().await.code(), Some(0));
    let database = data.join(DATABASE_FILE);
    let (before, whole) = (std::fs::read(&database).unwrap(), std::fs::read(&to).unwrap());
    let refused = |from: &Path, accept: &str, words: &[&str]| {
        let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(from), "--accept", accept]);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
        assert!(std::fs::read(&database).unwrap() == before, "a refused restore changed the database");
        assert!(!data.join("restoring").exists());
    };
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&to, &flipped).unwrap();
    refused(&to, "lost-records", &["is damaged", "SHA-256", "take another backup"]);
    // Without its manifest nobody can tell a flipped bit; a spoilt page is found all the same.
    let bare = alliance.beside("bare.db");
    let middle = whole.len() / 16384 * 8192;
    let mut spoilt = whole.clone();
    spoilt[middle..middle + 8192].fill(0xa5);
    std::fs::write(&bare, &spoilt).unwrap();
    refused(&bare, "no-manifest,lost-records", &["is damaged"]);
    std::fs::write(&bare, &whole).unwrap();
    refused(&bare, "lost-records", &["--accept no-manifest"]);
    std::fs::write(&to, &whole).unwrap();
    // Another hub's keys.
    let (keys, other) = (data.join("keys.json"), alliance.beside("other"));
    let own = std::fs::read(&keys).unwrap();
    run_well(&[
        "bootstrap",
        "--data",
        text(&other),
        "--trust-domain",
        "alliance.example",
        "--operator",
        "wang",
    ]);
    std::fs::write(&keys, std::fs::read(other.join("keys.json")).unwrap()).unwrap();
    refused(&to, "lost-records", &["--accept other-keys"]);
    std::fs::remove_file(&keys).unwrap();
    refused(&to, "lost-records", &["put keys.json back"]);
    std::fs::copy(other.join("keys.json"), &keys).unwrap();
    std::fs::write(&keys, &own).unwrap();
    // A database that cannot be read: nobody knows what is lost.
    std::fs::write(&database, b"this is no database").unwrap();
    let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(&to)]);
    assert!(said.contains("--accept unreadable-database"), "{said}");
    let done = restore(&data, &to, "unreadable-database");
    assert!(done["missing"].is_null() && done["epoch"].as_u64().unwrap() > 1_000_000, "{done}");
    check(&data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_killed_anywhere_leaves_the_old_or_the_new() {
    let (alliance, hub) = Alliance::found().await;
    let (data, to) = (alliance.data(), alliance.beside("backup.db"));
    back_up(&data, &to);
    let clients = connect(&hub).await;
    clients["babycare"].ledger().accrue_points(asks::accrue(&alliance.babies[0], "7")).await.unwrap();
    hub.kill().await;
    let every = "lost-records,other-history";
    let mut cut_short = 0;
    for number in 0..KILLS {
        let arguments = ["restore", "--data", text(&data), "--from", text(&to), "--accept", every];
        let delay = Duration::from_millis(DELAY_MILLIS_MAX * number / KILLS);
        cut_short += u64::from(run_and_kill(&arguments, delay));
        check(&data);
    }
    assert!(cut_short > 0, "none was killed in the middle");
    restore(&data, &to, every);
    assert!(!data.join("restoring").exists());
    let hub = Serving::start_logging(&data, "info").await;
    let clients = connect(&hub).await;
    assert_eq!(balance(&clients["babycare"], &alliance.babies[0]).await[0], "0");
    assert_eq!(hub.terminate().await.code(), Some(0));
    check(&data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_was_renewed_and_then_withdrawn_does_not_hold_again_after_a_restore() {
    let (alliance, hub) = Alliance::found().await;
    let (data, to) = (alliance.data(), alliance.beside("backup.db"));
    back_up(&data, &to);
    let clients = connect(&hub).await;
    let ([at_market, at_airline], market) = (&alliance.people[0], &clients["market"]);
    // The backup has the consent that this one renews.
    let renewed = grant(market, at_market, "airline").await;
    market.members().withdraw_consent(asks::withdraw(&renewed)).await.unwrap();
    let ask = || asks::quote(at_market, at_airline, "100");
    assert_eq!(refusal(market.exchanges().quote_exchange(ask()).await), "CONSENT_MISSING");
    assert_eq!(hub.terminate().await.code(), Some(0));
    let done = restore(&data, &to, "lost-records");
    let again = done["shut_out_again"].as_array().unwrap();
    assert_eq!(again.len(), 1, "{done}");
    assert!(again[0]["what"].as_str().unwrap().contains(&renewed), "{done}");
    assert_eq!(again[0]["fate"], "holds again");
    assert_eq!(done["trust_since_unknown"], false);
    let hub = Serving::start_logging(&data, "info").await;
    let market = &connect(&hub).await["market"];
    assert_eq!(refusal(market.exchanges().quote_exchange(ask()).await), "CONSENT_MISSING");
    assert_eq!(hub.terminate().await.code(), Some(0));
    check(&data);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_database_that_is_gone_is_not_played_into_the_restored_one() {
    let (alliance, hub) = Alliance::found().await;
    let (data, to) = (alliance.data(), alliance.beside("backup.db"));
    back_up(&data, &to);
    let clients = connect(&hub).await;
    clients["babycare"].ledger().accrue_points(asks::accrue(&alliance.babies[0], "7")).await.unwrap();
    hub.kill().await;
    let (database, log) = (data.join(DATABASE_FILE), data.join(format!("{DATABASE_FILE}-wal")));
    let frames = std::fs::read(&log).unwrap();
    std::fs::remove_file(&database).unwrap();
    let said = run_ill(1, &["restore", "--data", text(&data), "--from", text(&to)]);
    assert!(said.contains("--accept unreadable-database: ") && said.contains("is gone"), "{said}");
    assert_eq!(std::fs::read(&log).unwrap(), frames, "a refused restore changed the log");
    let done = restore(&data, &to, "unreadable-database");
    assert!(done["epoch"].as_u64().unwrap() > 1_000_000 && done["missing"].is_null(), "{done}");
    assert_eq!(done["trust_since_unknown"], true);
    assert_eq!(std::fs::read(done["kept"].as_str().unwrap()).unwrap(), frames);
    check(&data);
    let hub = Serving::start_logging(&data, "info").await;
    let clients = connect(&hub).await;
    assert_eq!(balance(&clients["babycare"], &alliance.babies[0]).await[0], "0");
    assert_eq!(hub.terminate().await.code(), Some(0));
    check(&data);
    // The epoch is that of the restore still: nothing has come from elsewhere.
    let to = alliance.beside("after.db");
    assert_eq!(back_up(&data, &to)["manifest"]["epoch"], done["epoch"]);
    // On a new machine nothing is lost, as far as anybody knows; who was shut out since must be told to do it again.
    std::fs::remove_file(&database).unwrap();
    let said = run_well(&["restore", "--data", text(&data), "--from", text(&to)]);
    assert!(said.contains("is not known here: do it again"), "{said}");
}
