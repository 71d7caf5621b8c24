//! The hub killed, its disk filled, its files spoilt: what it acknowledged stays, and what it cannot do it says.
//!
//! The real program runs as a child process under mutual TLS; who calls it and who judges it is this process, which keeps
//! every acknowledged answer in a file of its own. What each test measured stands in the build's folder, in `tests-run`.
//!
//! Absent on purpose: power that really fails. SIGKILL leaves what was written to the system's cache; that only synced bytes
//! count is shown on images of the files whose unsynced tails are cut or spoilt.
#![cfg(test)]

#[path = "../e2e/asks.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod asks;
#[path = "../simulation/dice.rs"]
#[allow(dead_code, reason = "the simulation uses the rest")]
mod dice;
#[path = "../e2e/harness.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod harness;
#[path = "../e2e/program.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod program;
#[path = "../e2e/raw.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod raw;
#[path = "../e2e/scene.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod scene;

mod alliance;
mod backups;
mod damage;
mod diary;
mod faults;
mod figures;
mod images;
mod kills;
mod load;
mod small;
mod starts;
mod verdict;
mod wal;
