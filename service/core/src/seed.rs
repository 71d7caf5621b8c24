//! The randomness and identity that a command brings along, so that deciding it again makes the same things.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::ids::RecordId;

/// What the hub drew for one command when it arrived: a time-ordered id and 256 secret random bits.
///
/// Everything that a decision has to make up (ids of parts, salts) derives from it, so that a rerun makes the same ones.
/// The bits are never stored.
#[derive(Clone, Copy)]
pub struct Seed {
    id: Uuid,
    secret: [u8; 32],
}

impl Seed {
    /// A seed of a version 7 UUID and 256 random bits, both drawn by the caller.
    #[must_use]
    pub const fn new(id: Uuid, secret: [u8; 32]) -> Self {
        Self { id, secret }
    }

    /// The time-ordered id: what the command makes first (an agreement, a record) takes it.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The record's id.
    #[must_use]
    pub const fn record(&self) -> RecordId {
        RecordId::new(self.id)
    }

    /// 128 unpredictable bits for the part named `purpose` and numbered `index`.
    #[must_use]
    pub fn bits(&self, purpose: &str, index: &str) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(b"pointbridge/seed/v1\0");
        hash.update(self.secret);
        hash.update(self.id.as_bytes());
        hash.update(purpose.as_bytes());
        hash.update([0]);
        hash.update(index.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bits = [0; 16];
        bits.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        bits
    }

    /// A random (version 4) id for the part named `purpose`.
    #[must_use]
    pub fn random_id(&self, purpose: &str) -> Uuid {
        uuid::Builder::from_random_bytes(self.bits(purpose, "")).into_uuid()
    }
}

/// The secret bits are left out.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").field("id", &self.id).finish_non_exhaustive()
    }
}
