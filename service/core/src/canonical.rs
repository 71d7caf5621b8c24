//! Canonical bytes: RFC 8785 JSON, and SHA-256 over it with a prefix that says what is hashed.
//!
//! Terms and records are made into these bytes once, and stored and hashed as they are. Amounts are strings and numbers
//! are small integers, so that no rule for floating point ever matters; absent fields are left out.

mod object;
#[cfg(test)]
mod tests;
mod writer;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What a hash is of: no two kinds of content can ever share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The terms of an agreement.
    Terms,
    /// A record.
    Record,
    /// The body of a request.
    Request,
    /// A salted commitment to an external reference.
    Reference,
    /// A quote's token.
    QuoteToken,
    /// What an approval is about.
    Approval,
}

impl Domain {
    /// The prefix, ending in a zero byte.
    #[must_use]
    pub const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Terms => b"pointbridge/terms/v1\0",
            Self::Record => b"pointbridge/record/v1\0",
            Self::Request => b"pointbridge/request/v1\0",
            Self::Reference => b"pointbridge/reference/v1\0",
            Self::QuoteToken => b"pointbridge/quote-token/v1\0",
            Self::Approval => b"pointbridge/approval/v1\0",
        }
    }
}

/// The canonical bytes of a value.
///
/// # Errors
/// Where the value is none that canonical bytes are made of (a map with keys that are not texts, two members of one name,
/// floating point): a fault in our own types, which tests of every type rule out.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    writer::to_bytes(value)
}

/// SHA-256 of `prefix ‖ bytes`.
#[must_use]
pub fn hash(domain: Domain, bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(domain.prefix());
    hash.update(bytes);
    hash.finalize().into()
}

/// SHA-256 of `prefix ‖ salt ‖ bytes`: tells nothing about short bytes to whom the salt is not told.
#[must_use]
pub fn commit(domain: Domain, salt: &[u8; 16], bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(domain.prefix());
    hash.update(salt);
    hash.update(bytes);
    hash.finalize().into()
}

/// Lower-case hexadecimal digits, as hashes stand in records and on the wire.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Reads the 64 lower-case hexadecimal digits of a hash.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    HEXLOWER.decode_mut(text.as_bytes(), &mut hash).ok().map(|_| hash)
}

/// Serializes a hash as its hexadecimal digits: `#[serde(with = "canonical::hex_hash")]`.
pub mod hex_hash {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes the digits.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(hash: &super::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(super::HEXLOWER.encode_mut_str(hash, &mut [0; 64]))
    }

    /// Reads the digits.
    ///
    /// # Errors
    /// Where the text is not 64 lower-case hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<super::Hash, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::parse_hash(&text).ok_or_else(|| de::Error::custom("not a hash of 64 hexadecimal digits"))
    }
}
