//! A sound database of every kind of row, and what damages copies of it.

use std::path::Path;

use pointbridge_check::Report;
use pointbridge_core::canonical::{self, Domain};
use pointbridge_core::command::WithdrawConsent;
use pointbridge_core::ids::{ExchangeId, MembershipId, RecordId};
use pointbridge_core::record::Body;
use pointbridge_store::{AuditRow, Page, Scope, Store, Views};
use pointbridge_store_sqlite::{Options, SqliteStore};
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::{Hub, reason};
use pointbridge_tests::scene::{Scene, hosted};
use pointbridge_tests::script::{operator, second_person, till};
use pointbridge_tests::standing::{agreement_to, approval_of, certificate, correction, signing_key};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;
use uuid::Uuid;

/// One step of a damage.
pub(super) enum Step {
    /// Changes, makes or deletes a row.
    Sql(String),
    /// Changes a record's content and makes its hash anew.
    Forge(RecordId, Box<dyn Fn(&mut Value)>),
}

/// What is expected to be found, and the damage.
pub(super) type Case = (String, Vec<Step>);

/// A sound database, closed, and where things are in it.
pub(super) struct Bed {
    pub(super) folder: TempDir,
    pub(super) clock: Clock,
    pub(super) scene: Scene,
    pub(super) accrual: RecordId,
    pub(super) commit: RecordId,
    /// The exchange of that commit, which was reversed in two parts: 60 and 40 of its 300.
    pub(super) exchange: ExchangeId,
    pub(super) reversal: RecordId,
    pub(super) rest: RecordId,
    pub(super) second: RecordId,
    pub(super) abort: RecordId,
    pub(super) second_exchange: ExchangeId,
    pub(super) live: RecordId,
    pub(super) live_exchange: ExchangeId,
    pub(super) merge: RecordId,
    /// The record that suspended the market, which was resumed since.
    pub(super) suspension: RecordId,
    /// A membership that was never merged.
    pub(super) stranger: MembershipId,
    /// A consent that was withdrawn.
    pub(super) withdrawn: Uuid,
    pub(super) link_code: String,
    pub(super) agreement: String,
    pub(super) agreement_bits: Uuid,
    pub(super) window: String,
    pub(super) other_consent: Uuid,
    pub(super) commit_request: String,
    pub(super) approved: Approved,
}

/// What two people of the operator did.
pub(super) struct Approved {
    pub(super) approval_id: Uuid,
    /// The approval's last record.
    pub(super) record: RecordId,
    /// The record of what was done.
    pub(super) effect: RecordId,
}

/// Certificates, keys, and a correction by two people.
async fn standing<S: Store>(hub: &Hub<S>, scene: &Scene, stranger: MembershipId) -> Approved {
    let caller = till(&scene.airline);
    hub.does(&caller, certificate(&scene.airline, 7, hub.clock.now())).await;
    hub.does(&caller, signing_key(scene.miles, "2026-11")).await;
    hub.suspend(&scene.market).await;
    hub.resume(&scene.market).await;
    let asked = approval_of(&hub.does(&operator(), correction(stranger, "7")).await);
    let record = hub.does(&second_person(), agreement_to(&asked)).await;
    let Body::Approval(body) = &record.body else { panic!("no approval: {record:?}") };
    let effect = body.effect.as_ref().unwrap().record_id;
    Approved { approval_id: asked.approval_id.uuid(), record: record.record_id, effect }
}

/// The first moment of 2027, when a forged lot is over.
pub(super) const NEW_YEAR_MICROS: i64 = 1_798_761_600_000_000;

/// The columns of a forged lot.
pub(super) const LOT: &str = "(membership_id, expires_at, origin_month, exchangeable, remaining, held)";

pub(super) fn sql(text: impl Into<String>) -> Step {
    Step::Sql(text.into())
}

pub(super) fn forge(id: RecordId, change: impl Fn(&mut Value) + 'static) -> Step {
    Step::Forge(id, Box::new(change))
}

pub(super) fn blob(bits: Uuid) -> String {
    format!("x'{}'", bits.simple())
}

pub(super) fn record(id: RecordId) -> String {
    blob(id.uuid())
}

/// The lines of a record in a table.
pub(super) fn lines_of(id: RecordId) -> String {
    format!("record_number = (select record_number from record where record_id = {})", record(id))
}

pub(super) async fn bed() -> Bed {
    let (hub, folder) = crate::bench::sqlite().await;
    let scene = hub.scene().await;
    let club = hub.program(hosted(&scene.market, "club", 0, 0)).await;
    let stranger = hub.member(&scene.market, club, "stranger-1").await;
    let withdrawn = hub.consent(&scene.market, stranger, &scene.airline).await;
    let withdrawal = WithdrawConsent { consent_id: withdrawn, reason: reason("MEMBER_REQUEST") };
    hub.does(&till(&scene.market), withdrawal).await;
    let accrual = hub.accrue(&scene.airline, scene.flyer, "1000").await.record_id;
    hub.accrue(&scene.market, scene.shopper, "5").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("300")).await;
    let commit = hub.commit(&scene.airline, exchange).await.record_id;
    let reversal = hub.reverse(&scene.market, exchange, Some("60")).await.record_id;
    let rest = hub.reverse(&scene.airline, exchange, Some("40")).await.record_id;
    let second_exchange = hub.prepare(&scene.airline, scene.wish("100")).await;
    let second = hub.store.exchange(&Scope::All, second_exchange).await.unwrap().unwrap().0.record_id;
    let abort = hub.abort(&scene.airline, second_exchange).await.record_id;
    let live_exchange = hub.prepare(&scene.airline, scene.wish("200")).await;
    let live = hub.store.exchange(&Scope::All, live_exchange).await.unwrap().unwrap().0.record_id;
    let page = Page { after: None, size: 1 };
    let agreements = hub.store.agreements(&Scope::All, None, &page).await.unwrap();
    let agreement = agreements.rows[0].agreement.agreement_id;
    let page = Page { after: None, size: 1 };
    let consents = hub.store.consents(&Scope::All, scene.shopper, &page).await.unwrap().unwrap();
    let approved = standing(&hub, &scene, stranger).await;
    let Places { window, commit_request, link_code, merge, suspension } = places(&hub.rows().await, commit);
    hub.store.close().await;
    Bed {
        folder,
        clock: hub.clock,
        scene,
        accrual,
        commit,
        exchange,
        reversal,
        rest,
        second,
        abort,
        second_exchange,
        live,
        live_exchange,
        merge,
        suspension,
        link_code,
        stranger,
        withdrawn: withdrawn.uuid(),
        agreement: agreement.to_string(),
        agreement_bits: agreement.uuid(),
        window,
        other_consent: consents.rows[0].consent.consent_id.uuid(),
        commit_request,
        approved,
    }
}

/// What only the rows tell.
struct Places {
    window: String,
    commit_request: String,
    link_code: String,
    merge: RecordId,
    suspension: RecordId,
}

fn places(rows: &[AuditRow], commit: RecordId) -> Places {
    let find = |pick: &dyn Fn(&AuditRow) -> Option<String>| rows.iter().find_map(pick).unwrap();
    let record_of = |wanted: &str| -> RecordId {
        let id = find(&|row| match row {
            AuditRow::Record { record_id, kind, .. } if kind == wanted => Some(record_id.clone()),
            _ => None,
        });
        id.parse().unwrap()
    };
    Places {
        window: find(&|row| match row {
            AuditRow::Window { window_id, .. } => Some(window_id.clone()),
            _ => None,
        }),
        commit_request: find(&|row| match row {
            AuditRow::Request { request_id, record_id, .. } if *record_id == commit.to_string() => {
                Some(request_id.clone())
            }
            _ => None,
        }),
        link_code: find(&|row| match row {
            AuditRow::LinkCode { link_code_id, .. } => Some(link_code_id.clone()),
            _ => None,
        }),
        merge: record_of("MEMBERS_MERGED"),
        suspension: record_of("PARTNER_SUSPENDED"),
    }
}

impl Bed {
    /// Damages a copy of the database and lets the check look at it.
    pub(super) async fn damaged(&self, steps: &[Step]) -> Report {
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
pub(super) fn found(report: &Report) -> Vec<String> {
    let results = report.invariants.iter();
    let all = results.flat_map(|result| {
        result.findings.iter().map(move |finding| format!("{}: {}", result.name(), finding.row))
    });
    all.collect()
}
