//! RegisterSigningKey: the public half of a key that signs for a program.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::canonical::hex_hash;
use crate::ids::ProgramId;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::signing_key::{SIGNING_KEYS_PER_PROGRAM_MAX, SigningKey};
use crate::text::KeyId;
use crate::world::{Facts, Footprint, Lock, World};

/// Registers a key, whose bytes were found to be a sound Ed25519 public key.
#[derive(Debug, Clone, Serialize)]
pub struct RegisterSigningKey {
    /// For which program.
    pub program_id: ProgramId,
    /// Its name within the program.
    pub key_id: KeyId,
    /// The 32 bytes of the public key.
    #[serde(with = "hex_hash")]
    pub public_key: [u8; 32],
}

rejections! {
    /// Why a key is not registered, in order of precedence (after the caller's standing).
    pub enum RegisterSigningKeyRejection {
        NotFound { id: ProgramId } => ProgramNotFound at "program_id", "there is no program {id} that you may know of";
        Exists { key_id: KeyId } => SigningKeyExists at "key_id", "the program has a key {key_id} already, and keys never change: take another name";
        Limit => SigningKeyLimit at "program_id", "the program has 16 keys already, which is as many as it may have";
    }
}

impl Command for RegisterSigningKey {
    named!("RegisterSigningKey");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        // To change: the number of its keys is bounded.
        needs.program(self.program_id, Lock::Update);
        needs.signing_keys.insert(self.program_id);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let id = self.program_id;
        let Some(program) = world.programs.get(&id).filter(|p| context.caller.may_read(&p.partner)) else {
            return RegisterSigningKeyRejection::NotFound { id }.into();
        };
        let known = world.signing_keys.get(&id);
        if known.is_some_and(|keys| keys.contains_key(&self.key_id)) {
            return RegisterSigningKeyRejection::Exists { key_id: self.key_id.clone() }.into();
        }
        if known.is_some_and(|keys| keys.len() >= SIGNING_KEYS_PER_PROGRAM_MAX) {
            return RegisterSigningKeyRejection::Limit.into();
        }
        let key = SigningKey {
            program_id: id,
            key_id: self.key_id.clone(),
            public_key: self.public_key,
            by: context.caller.principal.clone(),
            at: world.now,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.signing_keys.push(key.clone());
        let parties = vec![program.partner.clone()];
        draft.done(RecordKind::SigningKeyRegistered, parties, Body::SigningKey(key), Lines::default())
    }
}
