//! Bytes that are almost a request: a valid one with its fields swapped, doubled, cut, of the wrong wire type, and so on.
//!
//! A request is taken apart by the rules of the wire alone, so that what comes out is broken in ways that no library would
//! encode.

use crate::dice::Dice;

/// The largest request that is sent: below the hub's limit for messages, which has tests of its own.
const BYTES_MAX: usize = 200 * 1024;

/// A field on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    number: u64,
    kind: u8,
    /// What stands behind the tag and, for what has a length, behind the length.
    value: Vec<u8>,
}

/// Varint, eight bytes, length, start and end of a group, four bytes.
const VARINT: u8 = 0;
const LENGTH: u8 = 2;

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes a message apart; `None` where it is none.
fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < bytes.len() {
        let tag = read_varint(bytes, &mut at)?;
        let kind = (tag & 7) as u8;
        let from = at;
        let length = match kind {
            0 => {
                read_varint(bytes, &mut at)?;
                let value = bytes.get(from..at)?.to_vec();
                found.push(Field { number: tag >> 3, kind, value });
                continue;
            }
            1 => 8,
            2 => usize::try_from(read_varint(bytes, &mut at)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let value = bytes.get(at..at.checked_add(length)?)?.to_vec();
        at += length;
        found.push(Field { number: tag >> 3, kind, value });
    }
    Some(found)
}

fn assemble(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for Field { number, kind, value } in fields {
        varint(number << 3 | u64::from(*kind), &mut out);
        if *kind == LENGTH {
            varint(value.len() as u64, &mut out);
        }
        out.extend_from_slice(value);
    }
    out
}

/// Strings that are none, or that trouble somebody further on.
const EVIL: [&[u8]; 14] = [
    b"",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
    b"\0",
    b"' or 1=1 --",
    b"../../../../etc/passwd",
    b"%s%n%x",
    b"=cmd|' /C calc'!A0",
    b"\x1b[2J\x1b]0;x\x07",
    "\u{202e}\u{200b}\u{feff}".as_bytes(),
    "١٢٣".as_bytes(),
    b"NaN",
];

/// A broken relative of a valid message.
pub(crate) fn mutant(dice: &mut Dice, valid: &[u8]) -> Vec<u8> {
    if dice.one_in(12) {
        return noise(dice);
    }
    let mut bytes = valid.to_vec();
    for _ in 0..=dice.below(3) {
        bytes = if dice.one_in(4) { bent(dice, bytes) } else { rearranged(dice, &bytes) };
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

/// Bytes without any order.
fn noise(dice: &mut Dice) -> Vec<u8> {
    let most = if dice.one_in(10) { 4096 } else { 64 };
    let length = dice.below(most);
    (0..length).map(|_| dice.below(256) as u8).collect()
}

/// Bytes changed without regard to what they mean.
fn bent(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.is_empty() {
        return noise(dice);
    }
    let at = dice.below(bytes.len() as u64) as usize;
    match dice.below(4) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, dice.below(256) as u8),
        _ => bytes.extend(noise(dice)),
    }
    bytes
}

/// Fields changed as a whole.
fn rearranged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let Some(mut fields) = fields(bytes).filter(|fields| !fields.is_empty()) else {
        return bent(dice, bytes.to_vec());
    };
    let at = dice.below(fields.len() as u64) as usize;
    let other = dice.below(fields.len() as u64) as usize;
    match dice.below(14) {
        0 => fields.swap(at, other),
        1 => {
            let twin = fields[at].clone();
            fields.insert(other, twin);
        }
        2 => drop(fields.remove(at)),
        3 => fields[at].kind = dice.below(8) as u8,
        4 => {
            fields[at].number =
                *dice.pick(&[0, 1, 2, 3, 15, 16, 19_000, 536_870_911, 536_870_912, u64::MAX >> 3]);
        }
        5 => fields[at].value = dice.pick(&EVIL).to_vec(),
        6 => fields[at] = Field { kind: VARINT, value: huge_varint(dice), ..fields[at].clone() },
        7 => fields[at].value = vec![b'a'; dice.below(60_000) as usize],
        8 => {
            let value = fields[other].value.clone();
            fields[at].value = value;
        }
        9 => {
            let many = vec![fields[at].clone(); dice.below(3_000) as usize];
            drop(fields.splice(at..=at, many));
        }
        10 => return nested_groups(dice, assemble(&fields)),
        11 => nested_messages(dice, &mut fields[at]),
        12 => fields.push(unknown(dice)),
        _ => {
            let inner = mutant(dice, &fields[at].value.clone());
            fields[at] = Field { kind: LENGTH, value: inner, ..fields[at].clone() };
        }
    }
    assemble(&fields)
}

/// The largest numbers, and ones that are longer than numbers may be.
fn huge_varint(dice: &mut Dice) -> Vec<u8> {
    let mut out = Vec::new();
    match dice.below(6) {
        0 => varint(u64::MAX, &mut out),
        1 => varint(1 << 63, &mut out),
        2 => varint(u64::from(u32::MAX) + 1, &mut out),
        3 => varint(i64::MAX as u64, &mut out),
        4 => out = vec![0xff; 1 + dice.below(20) as usize],
        _ => {
            out = vec![0x80; dice.below(12) as usize];
            out.push(0);
        }
    }
    out
}

/// Groups in each other, 10 to 10,000 deep, closed or left open.
fn nested_groups(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    let depth = 10usize.pow(1 + dice.below(4) as u32);
    bytes.extend(std::iter::repeat_n(0x0b_u8, depth));
    if dice.one_in(2) {
        bytes.extend(std::iter::repeat_n(0x0c_u8, depth));
    }
    bytes
}

/// The same field in itself, again and again.
fn nested_messages(dice: &mut Dice, field: &mut Field) {
    field.kind = LENGTH;
    let depth = 10usize.pow(1 + dice.below(3) as u32);
    for _ in 0..depth {
        if field.value.len() > BYTES_MAX / 2 {
            break;
        }
        let inner = Field { number: field.number, kind: LENGTH, value: std::mem::take(&mut field.value) };
        field.value = assemble(&[inner]);
    }
}

/// A field that nobody knows.
fn unknown(dice: &mut Dice) -> Field {
    let number = 1_000 + dice.below(100_000);
    match dice.below(4) {
        0 => Field { number, kind: VARINT, value: huge_varint(dice) },
        1 => Field { number, kind: 1, value: vec![0xff; 8] },
        2 => Field { number, kind: 5, value: vec![0xff; 4] },
        _ => Field { number, kind: LENGTH, value: noise(dice) },
    }
}

#[test]
fn a_message_that_is_taken_apart_goes_together_again() {
    let bytes = [0x0a, 0x02, b'h', b'i', 0x10, 0x96, 0x01, 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
    let apart = fields(&bytes).unwrap();
    assert_eq!(apart.iter().map(|field| field.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(assemble(&apart), bytes);
    assert_eq!(fields(&[0x0a, 0x05, b'h']), None);
}
