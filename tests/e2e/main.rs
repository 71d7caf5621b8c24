//! The hub from the outside: real servers, real clients, mutual TLS between them, and nothing else.
//!
//! One hub per test, in this process where a test needs its hands on it and as the real program where that is what is
//! tested. After most, the independent check must find the books in order.
//!
//! Absent on purpose: the rules in depth (core has its own tests), and the store's promises (the conformance suite).
#![cfg(test)]

mod asks;
mod golden;
mod harness;
mod load;
#[allow(dead_code, reason = "the tests of crashes use the rest")]
mod program;
mod raw;
mod scene;

mod agreements;
mod approvals;
mod binary;
mod config;
mod credentials;
mod doctor;
mod drain;
mod dry_runs;
mod exchanges;
mod idempotency;
mod interrupted;
mod ledger;
mod limits;
mod lists;
mod manager;
mod members;
mod messages;
mod monitoring;
mod partners;
mod path;
mod pki;
mod reversals;
mod rights;
mod roles;
mod secrets;
mod service;
mod signals;
mod strangers;
mod trust;
mod with_grpcurl;
