//! The house's rules, held by tests: what may depend on what, how large a file may grow, what must be paired.
//!
//! Why: a rule that nobody checks is a wish. Each rule is a pure function from what was read to breaches, so that
//! every rule has two tests: one on the checkout, and one on a made-up breach that the rule must find.
//! Absent on purpose: what rustfmt, clippy, rustdoc, buf and typos hold already, and any list of exceptions.
#![cfg(test)]

mod clients;
mod clients_page;
mod contract;
mod docs;
mod edges;
mod house;
mod migrations;
mod promises;
mod purity;
mod refusals;
mod shape;
mod top_level;
mod words;
