//! Arrays as parameters: what a statement takes, as the JSON text that `jsonb_each` unfolds.
//!
//! Ids and hashes go as hexadecimal digits, which the statements turn into bytes with `unhex`; everything else goes as what
//! it is. Elements are arrays whose positions the statement names: `value ->> 0` is the first.

use pointbridge_core::canonical::{self, Hash};
use pointbridge_store::StoreError;
use serde::Serialize;
use uuid::fmt::Simple;

use crate::session::Bind;

/// The elements as one parameter.
///
/// # Errors
/// [`StoreError::Broken`] where an element cannot be JSON: a fault in our own types.
pub(crate) fn array<T: Serialize>(elements: &[T]) -> Result<Bind, StoreError> {
    serde_json::to_string(elements).map(Bind::Text).map_err(|error| StoreError::Broken(error.to_string()))
}

/// An id's digits. A macro because each id is a type of its own.
macro_rules! id {
    ($id:expr) => {
        $id.uuid().simple()
    };
}
pub(crate) use id;

/// An id's bytes, to be bound as they are.
macro_rules! id_bytes {
    ($id:expr) => {
        $crate::session::Bind::Bytes($id.uuid().as_bytes().to_vec())
    };
}
pub(crate) use id_bytes;

/// A hash's digits.
pub(crate) fn hash(hash: &Hash) -> String {
    canonical::hex(hash)
}

/// The digits of 128 bits that are no id.
pub(crate) fn bits(bits: [u8; 16]) -> Simple {
    uuid::Uuid::from_bytes(bits).simple()
}

/// Canonical bytes, which are JSON and therefore UTF-8, to go as a text that the statement casts back to bytes.
///
/// # Errors
/// [`StoreError::Broken`] where they are no text.
pub(crate) fn canonical(bytes: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(bytes).map_err(|_| StoreError::Broken("canonical bytes are no text".to_owned()))
}
