//! How the server does what it is asked: by keys, touching the rows that a batch names and no others, whatever else is there; and
//! in place, so that rows which change with every batch leave their indexes alone.
//!
//! Told by the server's own counters. They are complete once the store's connections are closed.

use std::sync::Arc;

use pointbridge_core::command::{Answer, CommitExchange, Envelope, MergeMembers, RegisterMembership};
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::record::Body;
use pointbridge_store_postgres::{Clock, PostgresStore};
use pointbridge_tests::hub::{Hub, Wish, accrual, preparation, reference};
use pointbridge_tests::scene::{Scene, consent};
use pointbridge_tests::script::{run_once, till};
use sqlx::{Connection, PgConnection};

use crate::{cluster, hub, settle};

/// How many members there are, each with a hold.
const MEMBERS: usize = 150;

/// How many of the holds are committed by the batch that is looked at.
const COMMITTED: usize = 10;

/// How many entries of an index, or rows of a table, that batch may read per exchange: each of its tables is looked up a few
/// times. Together fewer than there are holds.
const READ_PER_EXCHANGE_MAX: i64 = 12;

async fn registered(hub: &Hub<PostgresStore>, batch: Vec<Arc<Envelope>>) -> Vec<MembershipId> {
    let answers = hub.run(&batch).await;
    let ids = answers.iter().filter_map(|answer| match answer {
        Answer::Done(record) => match &record.body {
            Body::Membership(membership) => Some(membership.membership_id),
            _ => None,
        },
        _ => None,
    });
    ids.collect()
}

/// Members of both programs, who may exchange.
async fn members(hub: &Hub<PostgresStore>, scene: &Scene) -> Vec<(MembershipId, MembershipId)> {
    let (airline, market) = (till(&scene.airline), till(&scene.market));
    let enrol = |program_id, number| RegisterMembership {
        program_id,
        external_reference: reference(&format!("member-{number}")),
    };
    let flyers = (0..MEMBERS).map(|number| hub.script.ask(&airline, enrol(scene.miles, number)));
    let flyers = registered(hub, flyers.collect()).await;
    let shoppers = (0..MEMBERS).map(|number| hub.script.ask(&market, enrol(scene.stars, number)));
    let shoppers = registered(hub, shoppers.collect()).await;
    let members: Vec<_> = flyers.into_iter().zip(shoppers).collect();
    let (mut issued, mut brought, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for (flyer, shopper) in &members {
        let code = hub.link_code(*flyer, &scene.market);
        let merge = MergeMembers { code_hash: code.code_hash, membership_id: *shopper };
        issued.push(hub.script.ask(&airline, code));
        brought.push(hub.script.ask(&market, merge));
        rest.push(hub.script.ask(&airline, consent(*flyer, &scene.market)));
        rest.push(hub.script.ask(&market, consent(*shopper, &scene.airline)));
        rest.push(hub.script.ask(&airline, accrual(*flyer, "20")));
        rest.push(hub.script.ask(&market, accrual(*shopper, "20")));
    }
    for batch in [issued, brought, rest] {
        assert!(hub.run(&batch).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    }
    members
}

async fn held(
    hub: &Hub<PostgresStore>,
    scene: &Scene,
    members: &[(MembershipId, MembershipId)],
) -> Vec<ExchangeId> {
    let (mut batch, mut ids) = (Vec::new(), Vec::new());
    for (source, destination) in members {
        let wish = Wish { source: *source, destination: *destination, points: "3" };
        let claims = hub.quote(&scene.airline, wish).await.unwrap();
        ids.push(claims.exchange_id);
        batch.push(hub.script.ask(&till(&scene.airline), preparation(claims)));
    }
    assert!(hub.run(&batch).await.iter().all(|answer| matches!(answer, Answer::Done(_))));
    ids
}

/// The names and numbers that a statement answers with, as `name number`.
async fn told(conn: &mut PgConnection, sql: &'static str) -> Vec<(String, i64)> {
    sqlx::query_as(sql).fetch_all(conn).await.unwrap()
}

const READ: &str = "select indexrelname::text, idx_tup_read from pg_stat_user_indexes where idx_tup_read > 0";

async fn reopened(hub: Hub<PostgresStore>, database: &cluster::Database) -> Hub<PostgresStore> {
    let Hub { store, clock, script } = hub;
    store.close().await;
    Hub { store: database.open(Clock::Given(clock.reader()), None).await, clock, script }
}

async fn commit(hub: &Hub<PostgresStore>, store: &PostgresStore, scene: &Scene, holds: &[ExchangeId]) {
    let commits: Vec<_> = holds
        .iter()
        .map(|exchange_id| {
            hub.script.ask(&till(&scene.airline), CommitExchange { exchange_id: *exchange_id })
        })
        .collect();
    let answers = run_once(store, &commits).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(_))));
}

#[tokio::test]
async fn a_batch_reads_and_changes_what_it_names_by_key_and_in_place() {
    let (hub, database) = hub().await;
    let mut owner = database.raw().await;
    // The server's own looks at the tables would count, and keep old versions from going.
    for table in ["account", "lot", "exposure", "initiator", "clock_slot"] {
        let text = format!("alter table {table} set (autovacuum_enabled = false)");
        cluster::run(&mut owner, text).await.unwrap();
    }
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "3").await;
    // A store of its own looks at nothing but its batches. It makes its plans while there is next to nothing.
    let first = hub.prepare(&scene.airline, scene.wish("3")).await;
    let store = database.open(Clock::Given(hub.clock.reader()), None).await;
    commit(&hub, &store, &scene, &[first]).await;
    let members = members(&hub, &scene).await;
    let holds = held(&hub, &scene, &members).await;
    // What the other store's connections counted is known once they are gone.
    let hub = reopened(hub, &database).await;
    // Old versions are gone, as the server sees to it in time: whether a page has room is not what is looked at.
    for statement in ["vacuum account", "vacuum lot", "select pg_stat_reset()"] {
        cluster::run(&mut owner, statement.to_owned()).await.unwrap();
    }
    let told_before = told(&mut owner, READ).await;
    commit(&hub, &store, &scene, &holds[..COMMITTED]).await;
    store.close().await;
    let Hub { store, clock, script } = hub;
    assert!(told_before.iter().all(|(_, count)| *count == 0), "{told_before:?}");

    let scanned = "select relname::text, seq_tup_read from pg_stat_user_tables
         where seq_tup_read > 0 and relname not in ('_sqlx_migrations', 'store_state', 'clock_slot')";
    assert_eq!(told(&mut owner, scanned).await, [], "whole tables");
    let most = READ_PER_EXCHANGE_MAX * i64::try_from(COMMITTED).unwrap();
    let read = told(&mut owner, READ).await;
    assert!(!read.is_empty() && read.iter().all(|(_, count)| *count <= most), "{most} at most: {read:?}");
    let changed = "select relname::text, n_tup_upd - n_tup_hot_upd from pg_stat_user_tables
         where n_tup_upd > 0 and relname <> 'reservation' order by relname";
    let changed = told(&mut owner, changed).await;
    let expected = ["account", "clock_slot", "exposure", "initiator", "lot"];
    assert_eq!(changed, expected.map(|table| (table.to_owned(), 0)), "updates that touched an index");
    owner.close().await.unwrap();
    settle(&Hub { store, clock, script }).await;
}
