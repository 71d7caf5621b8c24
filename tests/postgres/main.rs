//! What only the store on PostgreSQL promises: rights, guards, encryption, several hubs on one database, and faults of the
//! database and of the way to it.
//!
//! What every store promises is held by the conformance suite. Each test has a database of its own.
#![cfg(test)]

mod cluster;
mod encryption;
mod faults;
mod line;
mod plans;

mod replicas;
mod rights;

use pointbridge_store_postgres::PostgresStore;
use pointbridge_tests::clock::Clock;
use pointbridge_tests::hub::Hub;

use cluster::Database;

/// A hub on a database of its own.
async fn hub() -> (Hub<PostgresStore>, Database) {
    let clock = Clock::default();
    let (store, database) = cluster::store(clock.reader(), None).await;
    (Hub::new(store, clock), database)
}

/// Does what time asks for, and lets the independent check look at everything.
async fn settle(hub: &Hub<PostgresStore>) {
    hub.sweep().await;
    let report = pointbridge_check::run(&hub.store).await.unwrap();
    assert!(report.rows > 0 && report.is_clean(), "{:#}", report.to_json());
}
