//! The engine's promises on a store that a test can slow down and break.
#![cfg(test)]
