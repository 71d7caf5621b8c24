//! Values written straight into canonical bytes: a serializer that puts an object's members into order where they are not.
//!
//! A record is made into canonical bytes while the writer waits, so that this is on the way of every write. What is written
//! most often declares its fields in the order of their names, and is written in one go. With anything else, the first name
//! that is out of order ends that, and it is written anew with a note of where each member stands, so that those of an
//! object can be moved when it ends. Absent on purpose: floating point, for which a fault is answered, and the
//! standard's way with whole numbers that a double cannot hold, which the library knows.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Display, Write};

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Error, Value};

use super::object::{Object, Sequence};
use crate::decimal::DecimalText;

/// Whole numbers up to here, and down to its negative, are printed as what they are: 2^53.
const EXACT_MAX: u64 = 1 << 53;

/// Room for most of what is written, so that it is not moved while it grows.
const ROOM: usize = 3072;

/// The canonical bytes of a value.
///
/// # Errors
/// Where the value is not one that canonical bytes are made of.
pub(super) fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut writer = Writer { out: Vec::with_capacity(ROOM), members: Members::InOrder };
    let mut outcome = value.serialize(&mut writer);
    if matches!(writer.members, Members::OutOfOrder) {
        writer.out.clear();
        writer.members = Members::Noted(Vec::new());
        outcome = value.serialize(&mut writer);
    }
    outcome.map(|()| writer.out)
}

/// What is written so far.
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    pub(super) members: Members,
}

/// What is known of the members that were written.
pub(super) enum Members {
    /// All came in order.
    InOrder,
    /// One did not: nothing that is written now counts.
    OutOfOrder,
    /// Of all objects that are open, the innermost last.
    Noted(Vec<Member>),
}

/// A member that was written: its name, and where it stands with its value.
pub(super) struct Member {
    pub(super) name: Cow<'static, str>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The order of names by their UTF-16 units, as the standard asks.
///
/// It is that of their bytes, but that the characters from U+E000 to U+FFFF, whose first bytes are these two, come behind
/// those that take two units.
pub(super) fn order(one: &str, other: &str) -> Ordering {
    let rank = |byte: u8| if matches!(byte, 0xee | 0xef) { 0xff } else { byte };
    let mut pairs = one.bytes().zip(other.bytes());
    match pairs.find(|(a, b)| a != b) {
        Some((a, b)) => rank(a).cmp(&rank(b)).then(a.cmp(&b)),
        None => one.len().cmp(&other.len()),
    }
}

impl Writer {
    /// A text with its quotes.
    pub(super) fn text(&mut self, text: &str) {
        self.out.push(b'"');
        self.escaped(text);
        self.out.push(b'"');
    }

    /// The name of a field of our own making, with its quotes: plain letters, as every test that writes one sees.
    pub(super) fn field(&mut self, name: &'static str) {
        debug_assert!(is_plain(name.as_bytes()), "{name} needs a backslash");
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            text.bytes().for_each(|byte| self.escaped_byte(byte));
        }
    }

    fn escaped_byte(&mut self, byte: u8) {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0x00..=0x1f => {
                let low = DIGITS.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
                let high = if byte < 0x10 { b'0' } else { b'1' };
                return self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            _ => return self.out.push(byte),
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }

    fn number<N: Copy + Serialize + TryInto<i64>>(&mut self, number: N) -> Result<(), Error> {
        match number.try_into() {
            Ok(plain) if plain.unsigned_abs() <= EXACT_MAX => {
                self.out.extend_from_slice(DecimalText::new(plain, 0).as_str().as_bytes());
            }
            _ => self.out.extend_from_slice(&serde_json_canonicalizer::to_vec(&number)?),
        }
        Ok(())
    }

    fn word(&mut self, word: &[u8]) {
        self.out.extend_from_slice(word);
    }

    /// The name of a member of a map.
    pub(super) fn name_of<T: Serialize + ?Sized>(key: &T) -> Result<Cow<'static, str>, Error> {
        match serde_json::to_value(key)? {
            Value::String(name) => Ok(Cow::Owned(name)),
            other => Err(Error::custom(format!("the name of a member must be a text, not {other}"))),
        }
    }
}

/// Whether nothing in a text needs a backslash.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    // The last eight bytes once more cost less than what is left over one by one.
    match text.last_chunk::<8>() {
        Some(last) => words.iter().chain([last]).fold(0, |found, word| found | specials(*word)) == 0,
        None => rest.iter().all(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\'),
    }
}

/// Zero where none of eight bytes is below a space, a quote or a backslash.
const fn specials(word: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = EACH << 7;
    const SPACES: u64 = EACH * 0x20;
    const QUOTES: u64 = EACH * 0x22;
    const BACKSLASHES: u64 = EACH * 0x5c;
    let word = u64::from_le_bytes(word);
    let (quotes, backslashes) = (word ^ QUOTES, word ^ BACKSLASHES);
    let low = word.wrapping_sub(SPACES) & !word;
    let quote = quotes.wrapping_sub(EACH) & !quotes;
    let backslash = backslashes.wrapping_sub(EACH) & !backslashes;
    (low | quote | backslash) & TOPS
}

/// What displays itself goes through here, a piece at a time.
impl Write for Writer {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.escaped(piece);
        Ok(())
    }
}

fn no_float() -> Error {
    Error::custom("canonical bytes hold no floating point: use whole numbers and texts")
}

macro_rules! whole_numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, number: $type) -> Result<(), Error> {
            self.number(number)
        })*
    };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Sequence<'a>;
    type SerializeTupleStruct = Sequence<'a>;
    type SerializeTupleVariant = Sequence<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    whole_numbers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    );

    fn serialize_f32(self, _: f32) -> Result<(), Error> {
        Err(no_float())
    }

    fn serialize_f64(self, _: f64) -> Result<(), Error> {
        Err(no_float())
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.word(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.text(text);
        Ok(())
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.out.push(b'"');
        write!(self, "{value}").map_err(Error::custom)?;
        self.out.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.word(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Error> {
        self.field(name);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.word(b"{");
        self.field(name);
        self.word(b":");
        value.serialize(&mut *self)?;
        self.word(b"}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'a>, Error> {
        Ok(Sequence::open(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'a>, Error> {
        Ok(Sequence::open(self))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence<'a>, Error> {
        Ok(Sequence::open(self))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Sequence<'a>, Error> {
        Ok(Sequence::open_variant(self, name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, Error> {
        Ok(Object::open(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'a>, Error> {
        Ok(Object::open(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Object<'a>, Error> {
        Ok(Object::open_variant(self, name))
    }
}
