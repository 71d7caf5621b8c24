//! What strangers and enemies send: the real program over mutual TLS, under bytes, frames and floods that no well-behaved
//! client sends.
//!
//! After everything the hub must live, have called nothing its own fault, remember only what it served, and stay small;
//! during everything a well-behaved client of another partner must be served. The long form prints figures; the README
//! beside this file says how to run it.
#![cfg(test)]
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "bytes are cut out of numbers, and lengths are far below any limit"
)]
#![allow(clippy::print_stdout, reason = "figures are printed for who reads the run")]

#[path = "../e2e/asks.rs"]
#[allow(dead_code, reason = "the end-to-end tests make more kinds of requests than these")]
mod asks;
#[path = "../simulation/dice.rs"]
mod dice;

mod amounts;
mod attacks;
mod bystander;
mod catalog;
mod figures;
mod form;
mod frames;
mod hub;
mod judge;
mod line;
mod mutants;
mod stage;
mod state;
mod texts;
mod valid;

mod bodies;
mod bytes;
mod cancels;
mod fields;
mod floods;
mod goodbye;
