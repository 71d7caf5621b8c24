//! Several hubs on one database: nothing that one keeps in memory is needed by another, and none undoes another's work.

use std::sync::Arc;

use pointbridge_core::command::{Answer, CommitExchange, Envelope};
use pointbridge_core::rejection::Reason;
use pointbridge_store::{AuditRow, Scope, Store, StoreError, Views};
use pointbridge_store_postgres::{Clock, Options, PostgresStore};
use pointbridge_tests::hub::{accrual, preparation};
use pointbridge_tests::scene::company;
use pointbridge_tests::script::{operator, run, till};
use tokio::task::JoinSet;

use crate::cluster::Database;
use crate::{hub, settle};

/// Hubs beside the one of the test.
async fn others(database: &Database, clock: &Clock, count: usize) -> Vec<Arc<PostgresStore>> {
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(Arc::new(database.open(clock.clone(), None).await));
    }
    stores
}

/// Runs batches on stores, all at once, and answers with all answers.
async fn at_once(work: Vec<(Arc<PostgresStore>, Vec<Arc<Envelope>>)>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (store, batch) in work {
        tasks.spawn(async move { run(store.as_ref(), &batch).await });
    }
    let mut answers = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let done: Result<Vec<Answer>, StoreError> = done.unwrap();
        answers.extend(done.unwrap());
    }
    answers
}

fn refused(answers: &[Answer], reason: Reason) -> usize {
    let is_of = |answer: &&Answer| matches!(answer, Answer::Refused(refusal) if refusal.reason == reason);
    answers.iter().filter(is_of).count()
}

fn done(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| matches!(answer, Answer::Done(_))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_request_at_three_hubs_one_has_an_effect_and_all_get_its_answer() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    let stores = others(&database, &Clock::Given(hub.clock.reader()), 3).await;
    for _ in 0..10 {
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let work =
            stores.iter().cycle().take(6).map(|store| (Arc::clone(store), vec![Arc::clone(&envelope)]));
        let answers = at_once(work.collect()).await;
        let first = answers.first().unwrap();
        assert!(matches!(first, Answer::Done(_)) && answers.iter().all(|answer| answer == first));
    }
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.postings), (10, 10));
    settle(&hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_prepares_at_three_hubs_exactly_those_pass_that_the_account_covers() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "30").await;
    let stores = others(&database, &Clock::Given(hub.clock.reader()), 3).await;
    let mut work = Vec::new();
    for store in stores.iter().cycle().take(12) {
        let mut batch = Vec::new();
        for _ in 0..4 {
            let claims = hub.quote(&scene.airline, scene.wish("1")).await.unwrap();
            batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
        }
        work.push((Arc::clone(store), batch));
    }
    let answers = at_once(work).await;
    assert_eq!((done(&answers), refused(&answers, Reason::InsufficientPoints)), (30, 18));
    settle(&hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_hubs_make_at_once_is_there_once() {
    let (hub, database) = hub().await;
    let stores = others(&database, &Clock::Given(hub.clock.reader()), 3).await;
    for code in ["airline", "market", "cinema"] {
        let work =
            stores.iter().map(|store| (Arc::clone(store), vec![hub.script.ask(&operator(), company(code))]));
        let answers = at_once(work.collect()).await;
        assert_eq!((done(&answers), refused(&answers, Reason::PartnerExists)), (1, 2), "{code}");
    }
    settle(&hub).await;
}

/// Both directions and both phases over the same accounts, in batches whose orders cross, while the clock stands still and more
/// hubs than the clock has slots write: the check reads what they did in the order of time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossing_batches_of_many_hubs_all_come_through() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "200").await;
    let stores = others(&database, &Clock::Given(hub.clock.reader()), 18).await;
    let mut rounds = Vec::new();
    for store in stores.iter().take(18) {
        let mut batch = Vec::new();
        for number in 0..4 {
            let claims = hub.quote(&scene.airline, scene.wish("2")).await.unwrap();
            let exchange_id = claims.exchange_id;
            batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
            if number % 2 == 0 {
                batch.push(hub.script.ask(&till(&scene.airline), CommitExchange { exchange_id }));
            }
            batch.push(hub.script.ask(&till(&scene.market), accrual(scene.shopper, "3")));
        }
        rounds.push((Arc::clone(store), batch));
    }
    let answers = at_once(rounds).await;
    assert_eq!(done(&answers), 18 * (4 + 2 + 4), "{answers:#?}");
    hub.clock.move_by(1000);
    settle(&hub).await;
    let (account, _) = hub.store.balance(&Scope::All, scene.flyer).await.unwrap().unwrap();
    assert_eq!((account.posted, account.held), (200 - 18 * 2 * 2, 0));
}

#[tokio::test]
async fn a_hub_whose_clock_is_behind_decides_after_what_another_one_did() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    let behind = pointbridge_tests::clock::Clock::default();
    behind.move_by(-7200);
    let other = database.open(Clock::Given(behind.reader()), None).await;
    hub.clock.move_by(1000);
    let first = hub.accrue(&scene.airline, scene.flyer, "1").await.decided_at;
    let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
    let second = match run(&other, &[envelope]).await.unwrap().as_slice() {
        [Answer::Done(record)] => record.decided_at,
        answers => panic!("{answers:?}"),
    };
    assert!(second > first, "{second:?} after {first:?}");
    let third = hub.accrue(&scene.airline, scene.flyer, "1").await.decided_at;
    assert!(third >= second, "{third:?} not before {second:?}");
    assert_eq!(other.audit(&mut |_| {}).await.unwrap(), third);
    settle(&hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_that_begin_at_once_make_one_store() {
    let database = Database::empty().await;
    let clock = pointbridge_tests::clock::Clock::default();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let (url, clock) = (database.owner(), Clock::Given(clock.reader()));
        let options = Options { url, clock, statement_hook: None, readers: 1, writers: 1, migrate: true };
        tasks.spawn(PostgresStore::open(options));
    }
    while let Some(opened) = tasks.join_next().await {
        let store = opened.unwrap().unwrap();
        let mut windows = 0;
        store.audit(&mut |row| windows += usize::from(matches!(row, AuditRow::Window { .. }))).await.unwrap();
        assert_eq!(windows, 1);
        assert_eq!(store.epoch().await.unwrap(), 1);
        store.close().await;
    }
    assert_eq!(PostgresStore::pending_migrations(&database.owner()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_database_without_its_tables_is_refused_with_what_is_pending() {
    let database = Database::empty().await;
    let clock = Clock::Database { offset_micros: 0 };
    let options = Options {
        url: database.owner(),
        clock,
        statement_hook: None,
        readers: 1,
        writers: 1,
        migrate: false,
    };
    let refused = PostgresStore::open(options).await.err();
    let is_told = |text: &str| text.contains("0001_foundation") && text.contains("0004_standing");
    assert!(matches!(&refused, Some(StoreError::Schema(text)) if is_told(text)), "{refused:?}");
}
