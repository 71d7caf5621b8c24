//! Pointbridge: the API's messages, services and descriptors, generated from the .proto files.
//!
//! What is here: the generated types ([`v1`]), the codec that every generated service uses ([`codec`]), the checks
//! that it makes from the rules beside the fields ([`validate`]), and the names of refusals ([`reason`]). What is
//! absent: any rule of the domain. A message that passes here is well formed, no more.

pub mod codec;
pub mod reason;
mod rules;
pub mod validate;

/// The types and services of package `pointbridge.v1`. Their documentation is that of the .proto files.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unused_qualifications,
    rustdoc::all
)]
pub mod v1 {
    tonic::include_proto!("pointbridge.v1");
}

/// The types of the vendored rule language, by which the rules are read out of the descriptors.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    unreachable_pub,
    unused_qualifications,
    rustdoc::all
)]
mod buf_validate {
    tonic::include_proto!("buf.validate");
}

/// The encoded `google.protobuf.FileDescriptorSet` of the API: package `pointbridge.v1` and all that it imports, with
/// the validation rules, without comments. Decodes on its own; server reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.binpb"));
