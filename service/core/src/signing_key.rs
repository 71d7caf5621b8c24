//! Keys that sign for a program: the public halves, by the names that signatures carry.
//!
//! A key never changes under its name, so that what was signed can be checked for ever. Absent on purpose: the private
//! halves, which the hub never sees, and any cryptography.

use serde::{Deserialize, Serialize};

use crate::canonical::hex_hash;
use crate::ids::ProgramId;
use crate::text::KeyId;
use crate::time::Timestamp;

/// How many keys a program may have. A key a month lasts for more than a year; what checks a signature reads them all.
pub const SIGNING_KEYS_PER_PROGRAM_MAX: usize = 16;

/// An Ed25519 public key of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The program that it signs for.
    pub program_id: ProgramId,
    /// Its name within the program.
    pub key_id: KeyId,
    /// The 32 bytes of the public key.
    #[serde(with = "hex_hash")]
    pub public_key: [u8; 32],
    /// Who registered it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
