//! The promise that the check sees damage: one wrong row of a real database is found once, by one invariant, by its name.
//!
//! The guards are dropped first, as somebody with the file in hand could. Where a record was forged, its hash is made anew
//! and the rows that repeat it are forged along, so that what is found is what the forged content breaks.

use std::collections::BTreeSet;
use std::path::Path;

use pointbridge_check::{Invariant, Report};
use pointbridge_core::canonical::{self, Domain};
use pointbridge_core::ids::{ExchangeId, RecordId};
use pointbridge_store::{AuditRow, Page, Scope, Views};
use pointbridge_store_sqlite::{Options, SqliteStore};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::scene::Scene;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;
use uuid::Uuid;

/// The first moment of 2027, when a forged lot is over.
const NEW_YEAR_MICROS: i64 = 1_798_761_600_000_000;

/// One step of a damage.
enum Step {
    /// Changes, makes or deletes a row.
    Sql(String),
    /// Changes a record's content and makes its hash anew.
    Forge(RecordId, Box<dyn Fn(&mut Value)>),
}

/// What is expected to be found, and the damage.
type Case = (String, Vec<Step>);

/// A sound database, closed, and where things are in it.
struct Bed {
    folder: TempDir,
    clock: Clock,
    scene: Scene,
    accrual: RecordId,
    commit: RecordId,
    live: RecordId,
    live_exchange: ExchangeId,
    agreement: String,
    agreement_bits: Uuid,
    window: String,
    other_consent: Uuid,
    commit_request: String,
}

fn sql(text: impl Into<String>) -> Step {
    Step::Sql(text.into())
}

fn forge(id: RecordId, change: impl Fn(&mut Value) + 'static) -> Step {
    Step::Forge(id, Box::new(change))
}

fn blob(bits: Uuid) -> String {
    format!("x'{}'", bits.simple())
}

fn record(id: RecordId) -> String {
    blob(id.uuid())
}

/// The lines of a record in a table.
fn lines_of(id: RecordId) -> String {
    format!("record_number = (select record_number from record where record_id = {})", record(id))
}

async fn bed() -> Bed {
    let (hub, folder) = crate::bench::sqlite().await;
    let scene = hub.scene().await;
    let accrual = hub.accrue(&scene.airline, scene.flyer, "1000").await.record_id;
    hub.accrue(&scene.market, scene.shopper, "5").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("300")).await;
    let commit = hub.commit(&scene.airline, exchange).await.record_id;
    let exchange = hub.prepare(&scene.airline, scene.wish("100")).await;
    hub.abort(&scene.airline, exchange).await;
    let live_exchange = hub.prepare(&scene.airline, scene.wish("200")).await;
    let (_, live, _) = hub.store.exchange(&Scope::All, live_exchange).await.unwrap().unwrap();
    let page = Page { after: None, size: 1 };
    let agreements = hub.store.agreements(&Scope::All, None, &page).await.unwrap();
    let agreement = agreements.rows[0].agreement.agreement_id;
    let page = Page { after: None, size: 1 };
    let consents = hub.store.consents(&Scope::All, scene.shopper, &page).await.unwrap().unwrap();
    let mut window = String::new();
    let mut commit_request = String::new();
    for row in hub.rows().await {
        match row {
            AuditRow::Window { window_id, .. } => window = window_id,
            AuditRow::Request { scope, method, request_id, record_id } if record_id == commit.to_string() => {
                commit_request = format!("{scope}/{method}/{request_id}");
            }
            _ => {}
        }
    }
    hub.store.close().await;
    Bed {
        folder,
        clock: hub.clock,
        scene,
        accrual,
        commit,
        live,
        live_exchange,
        agreement: agreement.to_string(),
        agreement_bits: agreement.uuid(),
        window,
        other_consent: consents.rows[0].consent.consent_id.uuid(),
        commit_request,
    }
}

impl Bed {
    /// Damages a copy of the database and lets the check look at it.
    async fn damaged(&self, steps: &[Step]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        let path = folder.path().join("hub.db");
        let mut database = open_unguarded(&path).await;
        for step in steps {
            take(&mut database, step).await;
        }
        database.close().await.unwrap();
        let options =
            Options { path, clock: self.clock.reader(), statement_hook: None, readers: 1, migrate: false };
        let store = SqliteStore::open(options).await.unwrap();
        let report = pointbridge_check::run(&store).await.unwrap();
        store.close().await;
        report
    }

    fn record_cases(&self) -> Vec<Case> {
        let (accrual, commit) = (self.accrual, self.commit);
        let at = record(commit);
        vec![
            (
                format!("record-hash: record {commit}"),
                vec![sql(format!("update record set hash = zeroblob(32) where record_id = {at}"))],
            ),
            (
                format!("record-form: record {accrual}"),
                vec![forge(accrual, |content| content["schema"] = json!("pointbridge.record.v2"))],
            ),
            (
                "record-missing: record rec_#999".to_owned(),
                vec![sql(format!(
                    "insert into posting (record_number, posting_number, program_id, account, amount)
                     select 999, 1, program_id, 'ISSUANCE', 1 from posting where {} limit 1",
                    lines_of(accrual)
                ))],
            ),
            (
                format!("record-columns: record {commit}"),
                vec![sql(format!("update record set kind = 'EXCHANGE_ABORTED' where record_id = {at}"))],
            ),
            (
                format!("record-lines: record {accrual}"),
                vec![forge(accrual, |content| content["body"]["points"]["amount"] = json!("999"))],
            ),
            (
                format!("request-record: request {}", self.commit_request),
                vec![sql(format!("update request set record_id = zeroblob(16) where record_id = {at}"))],
            ),
        ]
    }

    fn line_cases(&self) -> Vec<Case> {
        let commit = self.commit;
        let of_commit = lines_of(commit);
        vec![
            (
                format!("posting-rows: posting {commit}/1"),
                vec![sql(format!(
                    "update posting set amount = -299 where {of_commit} and posting_number = 1"
                ))],
            ),
            (
                format!("lot-movement-rows: lot movement {commit}/1"),
                vec![sql(format!(
                    "update lot_movement set held = 0 where {of_commit} and movement_number = 1"
                ))],
            ),
            (
                format!("obligation-rows: obligation {commit}/1"),
                vec![sql(format!("update obligation set money = 1 where {of_commit}"))],
            ),
        ]
    }

    fn forged_line_cases(&self) -> Vec<Case> {
        let (accrual, commit) = (self.accrual, self.commit);
        let (of_accrual, of_commit) = (lines_of(accrual), lines_of(commit));
        let stars = blob(self.scene.stars.uuid());
        let other = self.scene.stars.to_string();
        vec![
            (
                format!("postings-balance: record {accrual}"),
                vec![
                    forge(accrual, |content| content["postings"][1]["amount"] = json!("-999")),
                    sql(format!(
                        "update posting set amount = -999 where {of_accrual} and posting_number = 2"
                    )),
                ],
            ),
            (
                format!("account-sequence: posting {commit}/3"),
                vec![
                    forge(commit, |content| {
                        content["postings"][2]["member"]["balance_after"] = json!("306");
                    }),
                    sql(format!(
                        "update posting set balance_after = 306 where {of_commit} and posting_number = 3"
                    )),
                ],
            ),
            (
                format!("lots-of-record: record {accrual}"),
                vec![
                    forge(accrual, |content| content["lots"][0]["remaining"] = json!("1001")),
                    sql(format!("update lot_movement set remaining = 1001 where {of_accrual}")),
                    sql(format!(
                        "update lot set remaining = remaining + 1 where membership_id = {}",
                        blob(self.scene.flyer.uuid())
                    )),
                ],
            ),
            (
                format!("posting-program: record {accrual}"),
                vec![
                    forge(accrual, move |content| {
                        for number in 0..2 {
                            content["postings"][number]["program_id"] = json!(other);
                        }
                    }),
                    sql(format!("update posting set program_id = {stars} where {of_accrual}")),
                ],
            ),
        ]
    }

    fn balance_cases(&self) -> Vec<Case> {
        let flyer = blob(self.scene.flyer.uuid());
        let account = |invariant: &str, change: &str| {
            let found = format!("{invariant}: account {}", self.scene.flyer);
            (found, vec![sql(format!("update account set {change} where membership_id = {flyer}"))])
        };
        let month = self.clock.now().month().number();
        let lot = |expiry: &str| format!("{}/{expiry}/{month}/exchangeable", self.scene.flyer);
        vec![
            account("account-posted", "posted = posted + 1"),
            account("account-held", "held = held + 1"),
            account("account-postings", "postings = postings + 1"),
            account("account-live-holds", "live_holds = live_holds + 1"),
            (
                format!("lot-rows: lot {}", lot("never")),
                vec![sql(format!("update lot set remaining = remaining + 1 where membership_id = {flyer}"))],
            ),
            (
                format!("lot-available: lot {}", lot(&NEW_YEAR_MICROS.to_string())),
                vec![
                    forge(self.live, |content| {
                        content["lots"][0]["expires_at"] = json!("2027-01-01T00:00:00.000000Z");
                    }),
                    sql(format!(
                        "update lot_movement set expires_at = {NEW_YEAR_MICROS} where {}",
                        lines_of(self.live)
                    )),
                    sql(format!("update lot set held = 0 where membership_id = {flyer}")),
                    sql(format!("insert into lot values ({flyer}, {NEW_YEAR_MICROS}, {month}, 1, 0, 200)")),
                ],
            ),
            (format!("account-available: account {}", self.scene.flyer), self.overdrawn()),
            (
                "exposure-rows: exposure airline/market/CNY".to_owned(),
                vec![sql("update exposure set committed_low = committed_low + 1")],
            ),
            (
                "initiator-live-holds: initiator airline".to_owned(),
                vec![sql("update initiator set live_holds = 0")],
            ),
            (
                format!("obligation-window: window {}", self.window),
                vec![sql(format!(
                    "update settlement_window set opens_at = {}",
                    self.clock.now().plus_seconds(1).micros()
                ))],
            ),
        ]
    }

    /// A hold of more than the account has, forged wherever it stands.
    fn overdrawn(&self) -> Vec<Step> {
        let leg = format!("where reservation_id = {}", blob(self.live_exchange.uuid()));
        let flyer = blob(self.scene.flyer.uuid());
        vec![
            forge(self.live, |content| {
                let leg = &mut content["body"]["exchange"]["legs"][0];
                for field in ["source_points", "gross_points", "credited_points"] {
                    leg[field] = json!("1300");
                }
                leg["obligation"]["money"] = json!("13.000000");
                content["lots"][0]["held"] = json!("1300");
            }),
            sql(format!(
                "update exchange_leg set source_points = 1300, gross_points = 1300, credited_points = 1300,
                 money = 13000000 {leg}"
            )),
            sql(format!("update lot_movement set held = 1300 where {}", lines_of(self.live))),
            sql(format!("update lot set held = 1300 where membership_id = {flyer}")),
            sql(format!("update account set held = 1300 where membership_id = {flyer}")),
            sql("update exposure set prepared_low = 13000000"),
        ]
    }

    fn exchange_cases(&self) -> Vec<Case> {
        let at = format!("where reservation_id = {}", blob(self.live_exchange.uuid()));
        let reservation = self.live_exchange.reservation();
        vec![
            (
                format!("reservation-state: reservation {reservation}"),
                vec![sql(format!("update reservation set state = 'COMMITTED' {at}"))],
            ),
            (
                format!("reservation-overdue: reservation {reservation}"),
                vec![sql("update store_state set last_now = last_now + 360000001")],
            ),
            (
                format!("leg-rows: leg {reservation}/1"),
                vec![sql(format!("update exchange_leg set money = 1 {at}"))],
            ),
            (
                format!("phases-match: record {}", self.commit),
                vec![forge(self.commit, |content| {
                    content["body"]["exchange"]["references"]["order"] = json!("another");
                })],
            ),
            (
                format!("leg-terms: record {}", self.live),
                vec![
                    forge(self.live, |content| {
                        let obligation = &mut content["body"]["exchange"]["legs"][0]["obligation"];
                        obligation["money"] = json!("2.000001");
                    }),
                    sql(format!("update exchange_leg set money = 2000001 {at}")),
                    sql("update exposure set prepared_low = 2000001"),
                ],
            ),
        ]
    }

    fn party_cases(&self) -> Vec<Case> {
        let flyer = blob(self.scene.flyer.uuid());
        let agreement = blob(self.agreement_bits);
        vec![
            (
                format!("program-rows: program {}", self.scene.stars),
                vec![sql(format!(
                    "update program set scale = 3 where program_id = {}",
                    blob(self.scene.stars.uuid())
                ))],
            ),
            (
                format!("reference-commitment: membership {}", self.scene.flyer),
                vec![sql(format!(
                    "update membership set external_reference = 'another' where membership_id = {flyer}"
                ))],
            ),
            (
                format!("terms-hash: agreement version {}/1", self.agreement),
                vec![sql(format!(
                    "update agreement_version set terms_hash = zeroblob(32) where agreement_id = {agreement}"
                ))],
            ),
            (
                format!("agreement-active: agreement {}", self.agreement),
                vec![sql("update agreement set active_version = null, active_since = null")],
            ),
            (
                format!("consent-in-force: consent in force {}/market/EXCHANGE", self.scene.flyer),
                vec![sql(format!(
                    "update consent_in_force set consent_id = {} where membership_id = {flyer}",
                    blob(self.other_consent)
                ))],
            ),
        ]
    }
}

async fn open_unguarded(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
    let mut database = options.connect().await.unwrap();
    run(&mut database, "pragma ignore_check_constraints = on".to_owned()).await;
    let guards = sqlx::query("select name from sqlite_schema where type = 'trigger'");
    let guards = guards.fetch_all(&mut database).await.unwrap();
    assert!(guards.len() > 10, "the guards are there");
    for guard in guards {
        run(&mut database, format!("drop trigger {}", guard.get::<String, _>(0))).await;
    }
    database
}

async fn run(database: &mut SqliteConnection, text: String) -> u64 {
    sqlx::query(AssertSqlSafe(text)).execute(database).await.unwrap().rows_affected()
}

async fn take(database: &mut SqliteConnection, step: &Step) {
    match step {
        Step::Sql(text) => {
            assert!(run(database, text.clone()).await > 0, "the damage must change a row: {text}");
        }
        Step::Forge(id, change) => {
            let found = sqlx::query("select bytes from record where record_id = ?")
                .bind(id.uuid().as_bytes().to_vec())
                .fetch_one(&mut *database)
                .await
                .unwrap();
            let mut content: Value = serde_json::from_slice(&found.get::<Vec<u8>, _>(0)).unwrap();
            change(&mut content);
            let bytes = canonical::to_bytes(&content).unwrap();
            let hash = canonical::hash(Domain::Record, &bytes);
            sqlx::query("update record set bytes = ?, hash = ? where record_id = ?")
                .bind(bytes)
                .bind(hash.to_vec())
                .bind(id.uuid().as_bytes().to_vec())
                .execute(database)
                .await
                .unwrap();
        }
    }
}

/// Everything that a report found, as `invariant: row`.
fn found(report: &Report) -> Vec<String> {
    let results = report.invariants.iter();
    let all = results.flat_map(|result| {
        result.findings.iter().map(move |finding| format!("{}: {}", result.name(), finding.row))
    });
    all.collect()
}

#[tokio::test]
async fn one_wrong_row_is_found_once_by_one_invariant_under_its_name() {
    let bed = bed().await;
    let sound = bed.damaged(&[]).await;
    assert!(sound.is_clean(), "{:#}", sound.to_json());
    let cases = [
        bed.record_cases(),
        bed.line_cases(),
        bed.forged_line_cases(),
        bed.balance_cases(),
        bed.exchange_cases(),
        bed.party_cases(),
    ];
    let mut covered = BTreeSet::new();
    let mut missed = Vec::new();
    for (expected, steps) in cases.into_iter().flatten() {
        let report = bed.damaged(&steps).await;
        let found = found(&report);
        if found != [expected.as_str()] {
            missed.push(format!("expected {expected}, found {found:#?}"));
        }
        covered.insert(expected.split_once(':').unwrap().0.to_owned());
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let all: BTreeSet<String> = Invariant::ALL.iter().map(|invariant| invariant.name().to_owned()).collect();
    assert_eq!(covered, all, "every invariant has a case");
}

#[tokio::test]
async fn a_deleted_record_is_missed_by_its_lines_and_its_request() {
    let bed = bed().await;
    let report =
        bed.damaged(&[sql(format!("delete from record where record_id = {}", record(bed.commit)))]).await;
    let found = found(&report);
    let [missing, unanswered] = found.as_slice() else {
        panic!("its lines and its request miss it: {found:#?}")
    };
    assert!(missing.starts_with("record-missing: record rec_#"), "{missing}");
    assert_eq!(*unanswered, format!("request-record: request {}", bed.commit_request));
}
