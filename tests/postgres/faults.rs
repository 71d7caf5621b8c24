//! Faults of the database and of the way to it: what may be tried again is, what is not known is said to be so, and nothing is
//! there twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use pointbridge_core::command::{Answer, decide_batch};
use pointbridge_core::world::{FactQuery, Footprint};
use pointbridge_store::{Scope, Store, StoreError, Views};
use pointbridge_store_postgres::{Clock, Options, PostgresStore};
use pointbridge_tests::hub::{Hub, accrual};
use pointbridge_tests::scene::Scene;
use pointbridge_tests::script::{run, till};
use sqlx::{Connection, PgConnection};

use crate::cluster::{self, Database};
use crate::line::{Cut, Line};
use crate::{hub, settle};

/// What a batch's statement and no other has in it.
const WRITE: &str = "insert into record";

/// A store whose connections go over a line, with one writer.
async fn beyond(line: &Line, database: &Database, hub: &Hub<PostgresStore>) -> PostgresStore {
    let url = database.hub();
    let place = url.split_once('@').unwrap().1.split_once('/').unwrap().0;
    let url = url.replace(place, &format!("127.0.0.1:{}", line.port()));
    let clock = Clock::Given(hub.clock.reader());
    let options = Options { url, clock, statement_hook: None, readers: 1, writers: 1, migrate: false };
    PostgresStore::open(options).await.unwrap()
}

async fn line(database: &Database, text: &'static str, cut: Cut) -> Line {
    let url = database.hub();
    let place = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    Line::to(place, text, cut).await
}

async fn posted(hub: &Hub<PostgresStore>, scene: &Scene) -> i64 {
    let found = hub.store.balance(&Scope::All, scene.flyer).await.unwrap();
    found.map_or(0, |(account, _)| account.posted)
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_known_and_asking_again_tells() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    for (cut, is_there) in [(Cut::After, 1), (Cut::Before, 0)] {
        let before = posted(&hub, &scene).await;
        let line = line(&database, "commit\0", cut).await;
        let store = beyond(&line, &database, &hub).await;
        line.cut_next(1);
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let lost = run(&store, &[std::sync::Arc::clone(&envelope)]).await;
        assert!(matches!(lost, Err(StoreError::OutcomeUnknown(_))), "{cut:?}: {lost:?}");
        assert_eq!(line.cuts_left(), 0);
        if cut == Cut::After {
            assert_eq!(posted(&hub, &scene).await, before + is_there, "{cut:?}");
        }
        let told = run(&store, &[envelope]).await.unwrap();
        assert!(matches!(told.as_slice(), [Answer::Done(_)]), "{told:?}");
        assert_eq!(posted(&hub, &scene).await, before + 1, "{cut:?}: one effect");
    }
    settle(&hub).await;
}

#[tokio::test]
async fn a_batch_whose_connection_breaks_before_the_commit_begins_again() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    for cut in [Cut::Before, Cut::After] {
        let before = posted(&hub, &scene).await;
        let line = line(&database, WRITE, cut).await;
        let store = beyond(&line, &database, &hub).await;
        line.cut_next(2);
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let answers = run(&store, &[envelope]).await.unwrap();
        assert!(matches!(answers.as_slice(), [Answer::Done(_)]), "{answers:?}");
        assert_eq!((line.cuts_left(), posted(&hub, &scene).await), (0, before + 1), "{cut:?}");
        // One that never comes back is given up in the end. A store of its own has not sent the statement's text yet.
        let store = beyond(&line, &database, &hub).await;
        line.cut_next(usize::MAX);
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let given_up = run(&store, &[envelope]).await;
        assert!(matches!(given_up, Err(StoreError::Unavailable(_))), "{given_up:?}");
        assert_eq!(posted(&hub, &scene).await, before + 1, "{cut:?}");
    }
    settle(&hub).await;
}

#[tokio::test]
async fn connections_that_died_while_nobody_used_them_are_replaced() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "1").await;
    let mut owner = database.raw().await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()";
    for _ in 0..3 {
        cluster::run(&mut owner, kill.to_owned()).await.unwrap();
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let answers = hub.try_run(&[envelope]).await;
        assert!(matches!(answers.as_deref(), Ok([Answer::Done(_)])), "{answers:?}");
    }
    owner.close().await.unwrap();
    settle(&hub).await;
}

/// Makes every batch fail so many times with an error of this code, in the middle of its write.
async fn inject(owner: &mut PgConnection, code: &str, times: u32) {
    let text = format!(
        "create sequence if not exists fault;
         select setval('fault', 1, false);
         grant usage on sequence fault to {role};
         create or replace function fail() returns trigger language plpgsql as $$
         begin
             if nextval('fault') <= {times} then
                 raise exception 'injected' using errcode = '{code}';
             end if;
             return null;
         end
         $$;
         drop trigger if exists fail on posting;
         create trigger fail after insert on posting for each statement execute function fail();",
        role = cluster::HUB_ROLE
    );
    cluster::run(owner, text).await.unwrap();
}

/// Runs an accrual in one transaction, and answers with how often it was decided.
async fn decided(hub: &Hub<PostgresStore>, scene: &Scene) -> (Result<(), StoreError>, usize) {
    let batch = [hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"))];
    let mut query = FactQuery::default();
    batch[0].command.resolve(&batch[0].context, &mut query);
    let facts = hub.store.facts(&query).await.unwrap();
    let mut footprint = Footprint::default();
    batch[0].footprint(&facts, &mut footprint);
    let count = AtomicUsize::new(0);
    let done = hub.store.transact(&footprint, |mut world| {
        count.fetch_add(1, Ordering::SeqCst);
        world.facts = facts.clone();
        (decide_batch(&mut world, &batch).0, ())
    });
    (done.await, count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn what_the_database_asks_to_be_run_again_is_decided_again_in_bounds() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    let mut owner = database.raw().await;
    for code in ["40001", "40P01", "55P03"] {
        inject(&mut owner, code, 3).await;
        let before = posted(&hub, &scene).await;
        assert_eq!(decided(&hub, &scene).await, (Ok(()), 4), "{code}");
        assert_eq!(posted(&hub, &scene).await, before + 1, "{code}: one effect");
        inject(&mut owner, code, 1_000).await;
        let (given_up, count) = decided(&hub, &scene).await;
        assert!(matches!(given_up, Err(StoreError::Conflict(_))), "{code}: {given_up:?}");
        assert_eq!(count, 8, "{code}");
        assert_eq!(posted(&hub, &scene).await, before + 1, "{code}");
    }
    for (code, expected) in [
        ("23514", StoreError::Broken("injected".to_owned())),
        ("53100", StoreError::Full("injected".to_owned())),
        ("57014", StoreError::Unavailable("injected".to_owned())),
    ] {
        inject(&mut owner, code, 1_000).await;
        assert_eq!(decided(&hub, &scene).await, (Err(expected), 1), "{code}");
    }
    inject(&mut owner, "40001", 0).await;
    owner.close().await.unwrap();
    settle(&hub).await;
}

#[tokio::test]
async fn a_transaction_that_is_dropped_half_way_leaves_no_lock_behind() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "1").await;
    let mut owner = database.raw().await;
    for _ in 0..5 {
        // The account is held, so that the batch stands half-way in its locks when it is dropped.
        cluster::run(&mut owner, "begin; select 1 from account for update".to_owned()).await.unwrap();
        let envelope = hub.script.ask(&till(&scene.airline), accrual(scene.flyer, "1"));
        let waiting = hub.try_run(std::slice::from_ref(&envelope));
        let dropped = tokio::time::timeout(std::time::Duration::from_millis(100), waiting).await;
        assert!(dropped.is_err(), "{dropped:?}");
        cluster::run(&mut owner, "rollback".to_owned()).await.unwrap();
    }
    hub.accrue(&scene.airline, scene.flyer, "1").await;
    let open = "select count(*) from pg_stat_activity
         where datname = current_database() and state like 'idle in transaction%'";
    let count: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    assert_eq!(count, 0);
    owner.close().await.unwrap();
    settle(&hub).await;
}
