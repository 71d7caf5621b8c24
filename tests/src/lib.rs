//! What tests across crates share: the reference store, a clock that tests move, and a hub without an engine.
//!
//! The store here is the third implementation of the seam and the measure of the others. Nothing in this crate is part
//! of the product.
//!
//! Absent on purpose: anything with a network; the end-to-end tests bring that themselves.

pub mod clock;
pub mod hub;
pub mod memory;
pub mod scene;
pub mod script;
pub mod standing;
