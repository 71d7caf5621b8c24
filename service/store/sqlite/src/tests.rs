//! What only this dialect can break: its file, its guards, its transactions, its statements. What every store must keep is in
//! the conformance suite.

mod copies;
mod faults;
mod fixture;
mod guards;
mod opening;
mod statements;
mod transactions;
mod views;
