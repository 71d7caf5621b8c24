//! The engine's promises, held on a store that a test can make wait and fail.
//!
//! What is decided, and how it is stored, is others' to test: here it is only how commands get there and back.
#![cfg(test)]

mod gated;

mod batches;
mod endings;
mod fairness;
