//! What is append-only stays as it was: the guards hold against the owner, and the hub's own role has no right to try.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection, Row};

use crate::cluster::{Database, HUB_ROLE, run};
use crate::{hub, settle};

/// A table and a column of it.
const APPEND_ONLY: [(&str, &str); 11] = [
    ("agreement_version", "version"),
    ("consent", "purpose"),
    ("consent_withdrawal", "reason"),
    ("record", "bytes"),
    ("exchange_leg", "money"),
    ("posting", "amount"),
    ("lot_movement", "held"),
    ("obligation", "money"),
    ("reversal", "source_points"),
    ("request", "body_hash"),
    ("signing_key", "public_key"),
];

/// Everything that the hub's role may change, in whole or in part.
const MAY_CHANGE: [&str; 15] = [
    "account",
    "agreement",
    "approval",
    "certificate",
    "clock_slot",
    "consent_in_force",
    "exposure",
    "initiator",
    "link_code",
    "lot",
    "membership",
    "partner",
    "program",
    "reservation",
    "settlement_window",
];

async fn told(conn: &mut PgConnection, statement: &str) -> String {
    match run(conn, statement.to_owned()).await {
        Ok(_) => String::new(),
        Err(error) => {
            let code = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .unwrap_or_default()
                .into_owned();
            format!("{code} {error}")
        }
    }
}

#[tokio::test]
async fn guards_hold_against_the_owner() {
    let (hub, database) = hub().await;
    let scene = hub.scene().await;
    hub.accrue(&scene.airline, scene.flyer, "100").await;
    let exchange = hub.prepare(&scene.airline, scene.wish("30")).await;
    hub.commit(&scene.airline, exchange).await;
    hub.reverse(&scene.market, exchange, Some("9")).await;
    let mut owner = database.raw().await;
    for (table, column) in APPEND_ONLY {
        let change = format!("update {table} set {column} = {column}");
        for statement in [change, format!("delete from {table}"), format!("truncate {table} cascade")] {
            let told = told(&mut owner, &statement).await;
            assert!(told.contains(&format!("append-only: {table}")), "{statement}: {told}");
        }
    }
    for (statement, said) in [
        ("update reservation set state = 'PREPARED', decided_at = null", "final: reservation"),
        ("delete from reservation", "append-only: reservation"),
        ("delete from approval", "append-only: approval"),
        ("update approval set method = method", "append-only: approval"),
        ("delete from certificate", "append-only: certificate"),
        ("update certificate set owner = owner", "append-only: certificate"),
        (
            "insert into reversal select reservation_id, 3, gen_random_uuid(), record_id, 1, 10 from reversal",
            "out of line: reversal",
        ),
        (
            "insert into reversal select reservation_id, 2, gen_random_uuid(), record_id, 22, 31 from reversal",
            "out of line: reversal",
        ),
    ] {
        let told = told(&mut owner, statement).await;
        assert!(told.contains(said), "{statement}: {told}");
    }
    owner.close().await.unwrap();
    settle(&hub).await;
}

#[tokio::test]
async fn the_hubs_role_may_add_to_what_is_append_only_and_do_nothing_else_to_it() {
    let (_hub, database) = hub().await;
    let mut conn = PgConnection::connect(&database.hub()).await.unwrap();
    for (table, column) in APPEND_ONLY {
        for statement in [
            format!("update {table} set {column} = {column}"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("alter table {table} disable trigger all"),
            format!("drop table {table}"),
        ] {
            let told = told(&mut conn, &statement).await;
            assert!(told.starts_with("42501"), "{statement}: {told}");
        }
    }
    for statement in [
        "update account set membership_id = membership_id",
        "update store_state set epoch = 7",
        "insert into store_state values (1, 1, 1)",
        "create table own (id int)",
        "select setval('record_number', 1)",
    ] {
        let told = told(&mut conn, statement).await;
        assert!(told.starts_with("42501"), "{statement}: {told}");
    }
    conn.close().await.unwrap();
}

/// Asked of the database's own lists, so that a table of a later migration cannot be forgotten.
#[tokio::test]
async fn every_table_is_of_one_kind_or_the_other() {
    let (_hub, database) = hub().await;
    let mut owner = database.raw().await;
    let sql = "select relname::text, has_table_privilege($1, oid, 'insert') as may_add,
             has_any_column_privilege($1, oid, 'update') as may_change,
             has_table_privilege($1, oid, 'delete') as may_delete,
             has_table_privilege($1, oid, 'truncate, trigger, references') as may_more
         from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace";
    let rows = sqlx::query(sql).bind(HUB_ROLE).fetch_all(&mut owner).await.unwrap();
    let of = |column: &str| -> BTreeSet<String> {
        rows.iter().filter(|row| row.get(column)).map(|row| row.get("relname")).collect()
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("may_change"), named(&MAY_CHANGE));
    assert_eq!(of("may_delete"), named(&["consent_in_force"]));
    assert_eq!(of("may_more"), BTreeSet::new());
    let append_only = named(&APPEND_ONLY.map(|(table, _)| table));
    let kinds: BTreeSet<String> = append_only.union(&named(&MAY_CHANGE)).cloned().collect();
    let all: BTreeSet<String> = rows.iter().map(|row| row.get("relname")).collect();
    assert_eq!(&all - &kinds, named(&["_sqlx_migrations", "store_state"]), "only read");
    assert_eq!(&of("may_add") - &kinds, BTreeSet::new());
    owner.close().await.unwrap();
}

#[tokio::test]
async fn rights_are_not_granted_to_who_owns_everything_or_is_nobody() {
    use pointbridge_store::StoreError;
    use pointbridge_store_postgres::{Clock, Migration, PostgresStore};

    let database = Database::empty().await;
    for (role, said) in [("postgres", "superuser"), ("no_such_hub", "create role")] {
        let migration = Migration {
            url: database.owner(),
            hub_role: Some(role.to_owned()),
            clock: Clock::Database { offset_micros: 0 },
        };
        let refused = PostgresStore::migrate(&migration).await;
        assert!(matches!(&refused, Err(StoreError::Schema(text)) if text.contains(said)), "{refused:?}");
    }
}
