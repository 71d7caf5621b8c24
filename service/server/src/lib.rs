//! Pointbridge: the points-interchange hub, its server and command line.
//!
//! The only crate that knows both gRPC and the rules. A call goes `acceptor` (TLS) → `peer` (certificate → principal) →
//! `gate` and `authz` (method × role) → `rpc` (handler) → `wire` (protobuf → command) → the engine, and back.

pub mod acceptor;
pub mod admission;
pub mod authz;
pub mod backup;
pub mod bench;
mod child;
pub mod cli;
pub mod config;
pub mod deadline;
pub mod demo;
pub mod doctor;
pub mod gate;
pub mod hub;
pub mod keys;
pub mod limits;
pub mod manager;
pub mod peer;
pub mod pki;
pub mod quota;
pub mod refusals;
pub mod rpc;
pub mod secret_file;
pub mod serve;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod transport;
pub mod trust;
pub mod wire;
