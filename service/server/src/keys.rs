//! The hub's own secret keys, and the two things they make: quote tokens and link codes.
//!
//! The key ring is one JSON file of mode 0600 in the data folder, shared by all replicas. It holds
//!
//! - **quote keys** (32 bytes each, AES-256-GCM-SIV), the current one and the one before it, so that a rotation
//!   breaks no quote that was given out;
//! - the **link-code key** (32 bytes, HMAC-SHA-256).
//!
//! GCM-SIV rather than GCM: many replicas draw random nonces under one key, and with plain GCM a single repeated
//! nonce would let anyone forge quotes. Nothing here knows what a quote says or whether a link code was used.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac, rand};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::secret_file::{self, SecretFileError};

/// The key ring's file in the data folder.
pub const KEY_RING_FILE: &str = "keys.json";

/// The longest quote token, in bytes before base64.
pub const QUOTE_TOKEN_BYTES_MAX: usize = 200;

/// The most bytes that a quote token can carry: what the header, the nonce and the tag leave.
pub const QUOTE_BYTES_MAX: usize = QUOTE_TOKEN_BYTES_MAX - HEADER_BYTES - NONCE_LEN - TAG_BYTES;

/// The longest quote token, in characters.
const QUOTE_TOKEN_CHARS_MAX: usize = (QUOTE_TOKEN_BYTES_MAX * 8).div_ceil(6);

const SCHEMA: &str = "pointbridge.keys.v1";
const TOKEN_FORMAT: u8 = 1;
/// The token's format, then the key's version.
const HEADER_BYTES: usize = 2;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
/// The current quote key and the one before it.
const QUOTE_KEYS_MAX: usize = 2;

const QUOTE_DOMAIN: &[u8] = b"pointbridge quote token v1\0";
const LINK_CODE_DOMAIN: &[u8] = b"pointbridge link code v1\0";
const LINK_CODE_HASH_DOMAIN: &[u8] = b"pointbridge link code hash v1\0";
const KEY_CHECK_DOMAIN: &[u8] = b"pointbridge key check v1\0";
const KEY_CHECK_BYTES: usize = 8;

/// The digits of link codes: no I, L, O or U, which people misread or which spell words.
const LINK_CODE_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The lengths of a link code's groups: 26 digits of 5 bits for 128 bits.
const LINK_CODE_GROUPS: [usize; 6] = [5, 4, 4, 4, 4, 5];
const LINK_CODE_DIGIT_COUNT: usize = 26;
/// The longest text that is looked at as a link code, separators included.
const LINK_CODE_CHARS_MAX: usize = 64;

/// The hub's secret keys. They are wiped from memory when it is dropped, and `Debug` shows versions only.
pub struct KeyRing {
    /// The current key first.
    quote_keys: Vec<QuoteKey>,
    link_code_key: hmac::Key,
}

struct QuoteKey {
    version: u8,
    key: LessSafeKey,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<u8> = self.quote_keys.iter().map(|key| key.version).collect();
        out.debug_struct("KeyRing").field("quote_key_versions", &versions).finish_non_exhaustive()
    }
}

/// The file's form. Keys are 64 lower-case hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    schema: String,
    /// The current key first, then the one before it.
    quote_keys: Vec<KeyFileEntry>,
    link_code_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFileEntry {
    version: u8,
    key: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.link_code_key.zeroize();
    }
}

impl Drop for KeyFileEntry {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Why the key ring could not be made or read.
#[derive(Debug, Error)]
pub enum KeyRingError {
    /// The file is there already, missing, unreadable, unwritable or open to others.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The file's content is not a key ring. What is wrong is told without repeating any of it.
    #[error(
        "{path} is not a key ring of this version: {reason}; restore it from its backup, since a new one makes open \
         quotes and link codes worthless"
    )]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness, so no key can be made")]
    Randomness,
}

/// Why a quote could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// The quote has more than [`QUOTE_BYTES_MAX`] bytes.
    #[error("a quote has at most {QUOTE_BYTES_MAX} bytes")]
    TooLong,
    /// The system gives no randomness, or the cipher failed.
    #[error("the quote could not be sealed")]
    Cryptography,
}

/// A quote token that this hub did not seal, or under a key that it no longer holds. It says nothing more, so that
/// nobody learns how close a forgery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the quote token is not one of this hub's")]
pub struct QuoteTokenError;

impl KeyRing {
    /// Makes a key ring with fresh keys in the data folder, which is made where it is missing.
    ///
    /// # Errors
    /// The folder has a key ring already (it is never overwritten), the file cannot be written, or there is no
    /// randomness.
    pub fn create(folder: &Path) -> Result<Self, KeyRingError> {
        secret_file::create_folder(folder)?;
        let file = KeyFile {
            schema: SCHEMA.to_owned(),
            quote_keys: vec![KeyFileEntry { version: 1, key: random_key()? }],
            link_code_key: random_key()?,
        };
        let ring = Self::from_file(&file).map_err(|reason| malformed(folder, reason))?;
        secret_file::create(&folder.join(KEY_RING_FILE), &to_json(&file, folder)?)?;
        Ok(ring)
    }

    /// Reads the key ring of a data folder.
    ///
    /// # Errors
    /// The file is missing, unreadable, open to others, or malformed.
    pub fn load(folder: &Path) -> Result<Self, KeyRingError> {
        let file = read_file(folder)?;
        Self::from_file(&file).map_err(|reason| malformed(folder, reason))
    }

    /// Puts a fresh quote key in front, keeps the current one as the previous one, and drops the one before that.
    /// Quotes live for 15 minutes at most, so two rotations further apart than that break none.
    ///
    /// # Errors
    /// As [`KeyRing::load`], or the file cannot be written; it then stays as it was.
    pub fn rotate_quote_key(folder: &Path) -> Result<Self, KeyRingError> {
        let mut file = read_file(folder)?;
        let current = file.quote_keys.first().map_or(0, |entry| entry.version);
        // After 255 comes 1: only neighbours ever stand side by side.
        let version = current.checked_add(1).unwrap_or(1);
        file.quote_keys.insert(0, KeyFileEntry { version, key: random_key()? });
        file.quote_keys.truncate(QUOTE_KEYS_MAX);
        let ring = Self::from_file(&file).map_err(|reason| malformed(folder, reason))?;
        secret_file::replace(&folder.join(KEY_RING_FILE), &to_json(&file, folder)?)?;
        Ok(ring)
    }

    /// Seals a quote's bytes into a token of URL-safe characters, under the current key.
    ///
    /// # Errors
    /// The quote is longer than [`QUOTE_BYTES_MAX`], or the system gives no randomness.
    pub fn seal_quote(&self, quote: &[u8]) -> Result<String, SealError> {
        if quote.len() > QUOTE_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        let current = self.quote_keys.first().ok_or(SealError::Cryptography)?;
        let header = [TOKEN_FORMAT, current.version];
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealError::Cryptography)?;
        let mut sealed = quote.to_vec();
        current
            .key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(header)),
                &mut sealed,
            )
            .map_err(|_| SealError::Cryptography)?;
        Ok(BASE64URL_NOPAD.encode(&[&header[..], &nonce, &sealed].concat()))
    }

    /// Opens a token that this hub sealed, under the current key or the previous one.
    ///
    /// # Errors
    /// [`QuoteTokenError`], the same for every fault.
    pub fn open_quote(&self, token: &str) -> Result<Vec<u8>, QuoteTokenError> {
        if token.len() > QUOTE_TOKEN_CHARS_MAX {
            return Err(QuoteTokenError);
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| QuoteTokenError)?;
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(QuoteTokenError)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(QuoteTokenError)?;
        let [TOKEN_FORMAT, version] = *header else { return Err(QuoteTokenError) };
        let key = self.quote_keys.iter().find(|key| key.version == version).ok_or(QuoteTokenError)?;
        let mut opened = sealed.to_vec();
        let length = key
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated_data(*header)),
                &mut opened,
            )
            .map_err(|_| QuoteTokenError)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }

    /// The link code of an id, for people to read out and type: `5PK0R-7Q2M-…`, 128 bits that nobody can guess
    /// from the id. The same id always gives the same code, so that a repeated request can be answered without the
    /// code being stored.
    #[must_use]
    pub fn link_code(&self, id: [u8; 16]) -> String {
        write_link_code(self.link_code_bits(id))
    }

    /// Whether a link code was made with these keys, by its id and by what the store keeps of it.
    #[must_use]
    pub fn made_link_code(&self, id: [u8; 16], hash: [u8; 32]) -> bool {
        link_code_hash(self.link_code_bits(id)) == hash
    }

    /// The versions of the quote keys, the current one first.
    #[must_use]
    pub fn quote_key_versions(&self) -> Vec<u8> {
        self.quote_keys.iter().map(|key| key.version).collect()
    }

    /// By what one knows the link-code key again without having it: 16 hexadecimal digits that tell nothing of the key.
    #[must_use]
    pub fn link_code_key_check(&self) -> String {
        let tag = hmac::sign(&self.link_code_key, KEY_CHECK_DOMAIN);
        HEXLOWER.encode(tag.as_ref().get(..KEY_CHECK_BYTES).unwrap_or_default())
    }

    fn link_code_bits(&self, id: [u8; 16]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.link_code_key);
        context.update(LINK_CODE_DOMAIN);
        context.update(&id);
        let tag = context.sign();
        // The first 16 of 32 bytes; a tag of this length always has them.
        tag.as_ref().first_chunk::<16>().copied().unwrap_or_default()
    }

    fn from_file(file: &KeyFile) -> Result<Self, &'static str> {
        if file.schema != SCHEMA {
            return Err("the schema is another one");
        }
        if !(1..=QUOTE_KEYS_MAX).contains(&file.quote_keys.len()) {
            return Err("it needs one or two quote keys");
        }
        if let [current, previous] = file.quote_keys.as_slice()
            && current.version == previous.version
        {
            return Err("two quote keys have one version");
        }
        let quote_keys = file.quote_keys.iter().map(quote_key).collect::<Result<_, _>>()?;
        let link_code_key = parse_key(&file.link_code_key)?;
        Ok(Self { quote_keys, link_code_key: hmac::Key::new(hmac::HMAC_SHA256, &*link_code_key) })
    }
}

/// Reads a link code as people type it: in any case, with spaces and dashes anywhere, `O` for `0`, `I` or `L` for `1`.
/// `None` where it is no link code.
#[must_use]
pub fn parse_link_code(text: &str) -> Option<[u8; 16]> {
    if text.len() > LINK_CODE_CHARS_MAX {
        return None;
    }
    let mut bits: u128 = 0;
    let mut digit_count = 0_usize;
    for character in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let canonical = match character.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let digit = LINK_CODE_DIGITS.iter().position(|&known| known == canonical)?;
        // 26 digits hold 130 bits: the two in front must be zero.
        bits = bits.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)?;
        digit_count = digit_count.checked_add(1)?;
    }
    (digit_count == LINK_CODE_DIGIT_COUNT).then(|| bits.to_be_bytes())
}

/// What the store keeps of a link code: SHA-256 of a prefix and its 128 bits. Plain hashing is enough, since a code
/// has as much randomness as a key.
#[must_use]
pub fn link_code_hash(bits: [u8; 16]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(LINK_CODE_HASH_DOMAIN);
    context.update(&bits);
    // SHA-256 always has 32 bytes.
    context.finish().as_ref().first_chunk::<32>().copied().unwrap_or_default()
}

fn write_link_code(bits: [u8; 16]) -> String {
    let mut rest = u128::from_be_bytes(bits);
    let mut digits = Vec::with_capacity(LINK_CODE_DIGIT_COUNT);
    for _ in 0..LINK_CODE_DIGIT_COUNT {
        let digit = usize::try_from(rest % 32).ok().and_then(|index| LINK_CODE_DIGITS.get(index));
        digits.extend(digit.copied().map(char::from));
        rest /= 32;
    }
    let mut digits = digits.into_iter().rev();
    let groups = LINK_CODE_GROUPS.map(|length| digits.by_ref().take(length).collect::<String>());
    groups.join("-")
}

fn associated_data(header: [u8; HEADER_BYTES]) -> Vec<u8> {
    [QUOTE_DOMAIN, &header].concat()
}

fn quote_key(entry: &KeyFileEntry) -> Result<QuoteKey, &'static str> {
    let bytes = parse_key(&entry.key)?;
    let key = UnboundKey::new(&AES_256_GCM_SIV, &*bytes).map_err(|_| "a quote key is unusable")?;
    Ok(QuoteKey { version: entry.version, key: LessSafeKey::new(key) })
}

fn parse_key(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, &'static str> {
    const REASON: &str = "a key is not 64 lower-case hexadecimal digits";
    let bytes = Zeroizing::new(HEXLOWER.decode(text.as_bytes()).map_err(|_| REASON)?);
    let bytes: &[u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| REASON)?;
    Ok(Zeroizing::new(*bytes))
}

fn random_key() -> Result<String, KeyRingError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut *bytes).map_err(|_| KeyRingError::Randomness)?;
    Ok(HEXLOWER.encode(&*bytes))
}

fn read_file(folder: &Path) -> Result<KeyFile, KeyRingError> {
    let text = secret_file::read(&folder.join(KEY_RING_FILE))?;
    // The parser's own words could repeat a part of the keys.
    serde_json::from_str(&text).map_err(|_| malformed(folder, "it is not the JSON that is expected"))
}

fn to_json(file: &KeyFile, folder: &Path) -> Result<Zeroizing<String>, KeyRingError> {
    let text =
        serde_json::to_string_pretty(file).map_err(|_| malformed(folder, "it cannot be written as JSON"))?;
    Ok(Zeroizing::new(text))
}

fn malformed(folder: &Path, reason: &'static str) -> KeyRingError {
    KeyRingError::Malformed { path: folder.join(KEY_RING_FILE).display().to_string(), reason }
}

#[cfg(test)]
mod tests;
