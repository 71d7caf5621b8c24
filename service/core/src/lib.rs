//! The rules of Pointbridge, pure: what a partner, a member, an agreement, a lot and an exchange are, and what each
//! command does to them.
//!
//! Nothing here reads a clock, draws a random number, does I/O or knows a database or a protocol. A command names what
//! it needs ([`world::Footprint`]), a store loads it ([`world::World`]), [`command::Command::decide`] answers with
//! [`world::Changes`], and the store writes them. The same input always gives the same output, so that a decision can
//! be rerun, replayed and tested.

#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]
// Tests compute what they expect.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod agreement;
pub mod approval;
pub mod caller;
pub mod canonical;
pub mod certificate;
pub mod command;
mod decimal;
pub mod exchange;
pub mod exposure;
pub mod ids;
pub mod ledger;
pub mod member;
pub mod money;
pub mod partner;
pub mod points;
pub mod quote;
pub mod rate;
pub mod record;
pub mod rejection;
pub mod reversal;
pub mod seed;
pub mod signing_key;
pub mod text;
pub mod time;
pub mod world;
