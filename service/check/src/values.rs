//! Values as they stand in record bytes, read by strict rules of this crate alone.
//!
//! Amounts are decimal texts, times are RFC 3339 with six decimals, hashes are hexadecimal digits. Whatever is not
//! exactly of its form is not read. Also here: canonical bytes and SHA-256 over them.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub(crate) type Hash = [u8; 32];

/// Whole minor units of points, and how many decimals the text had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minor {
    pub(crate) units: i64,
    pub(crate) decimals: i64,
}

/// Millionths of a currency's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millionths(pub(crate) i64);

/// A whole number that stands as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) i64);

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Micros(pub(crate) i64);

macro_rules! from_text {
    ($name:ident, $read:expr, $form:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let read: fn(&str) -> Option<Self> = $read;
                read(&text).ok_or_else(|| de::Error::custom($form))
            }
        }
    };
}

from_text!(Minor, minor, "not an amount of points");
from_text!(Millionths, millionths, "not an amount of money with six decimals");
from_text!(
    Whole,
    |text| minor(text).filter(|m| m.decimals == 0).map(|m| Whole(m.units)),
    "not a whole number"
);
from_text!(Micros, micros, "not a moment with six decimals in UTC");

/// The most decimals of an amount.
const DECIMALS_MAX: usize = 6;

/// Reads `-12.50`: digits, at most one point with digits on both sides, no needless zero in front, no negative zero.
fn minor(text: &str) -> Option<Minor> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (digits, ""),
    };
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let has_needless_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || has_needless_zero || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    if fraction.len() > DECIMALS_MAX {
        return None;
    }
    let sign = if digits.len() == text.len() { "" } else { "-" };
    let units: i64 = format!("{sign}{whole}{fraction}").parse().ok()?;
    let is_negative_zero = units == 0 && !sign.is_empty();
    let decimals = i64::try_from(fraction.len()).ok()?;
    (!is_negative_zero).then_some(Minor { units, decimals })
}

fn millionths(text: &str) -> Option<Millionths> {
    minor(text).filter(|money| money.decimals == 6).map(|money| Millionths(money.units))
}

/// Reads `2026-11-22T08:00:00.000000Z`, years 1970 to 9999.
fn micros(text: &str) -> Option<Micros> {
    const FORM: &[u8; 27] = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = |(form, byte): (&u8, u8)| if *form == b'd' { byte.is_ascii_digit() } else { *form == byte };
    if text.len() != FORM.len() || !FORM.iter().zip(text.bytes()).all(fits) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_date = year >= 1970 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before(year, month) + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Micros(seconds * 1_000_000 + number(20..26)?))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let past = year - 1;
    let leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: i64 = (1..month).map(|m| days_of(year, m)).sum();
    (year - 1970) * 365 + leaps + months
}

/// The canonical bytes of JSON without floating point: names sorted, no spaces (RFC 8785).
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (index, (name, field)) in sorted.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(field, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// SHA-256 over the parts in a row.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_decimals_are_read() {
        for (text, units, decimals) in
            [("0", 0, 0), ("12.50", 1250, 2), ("-0.0001", -1, 4), ("-9223372036854775808", i64::MIN, 0)]
        {
            assert_eq!(minor(text), Some(Minor { units, decimals }), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "+1",
            "01",
            "1e3",
            " 1",
            "1,0",
            "--1",
            "-0",
            "１",
            "1.0000000",
            "9223372036854775808",
        ] {
            assert_eq!(minor(text), None, "{text:?}");
        }
        assert_eq!(millionths("1.500000"), Some(Millionths(1_500_000)));
        assert_eq!(millionths("1.50"), None);
    }

    #[test]
    fn only_exact_moments_are_read() {
        for (text, at) in [
            ("1970-01-01T00:00:00.000001Z", 1),
            ("2000-03-01T00:00:00.000000Z", 951_868_800_000_000),
            ("2026-11-22T08:00:00.000000Z", 1_795_334_400_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] {
            assert_eq!(micros(text), Some(Micros(at)), "{text}");
        }
        for text in [
            "2026-02-29T00:00:00.000000Z",
            "2026-11-22T08:00:00Z",
            "2026-11-22T24:00:00.000000Z",
            "2026-11-22 08:00:00.000000Z",
            "1969-12-31T23:59:59.000000Z",
            "2026-11-22T08:00:00.00000éZ",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_bytes_sort_names_and_escape_as_rfc_8785_does() {
        let value: Value = serde_json::from_str(r#"{"b":[1,true,null],"a":"\u0007\/é\n"}"#).unwrap();
        assert_eq!(canonical(&value), "{\"a\":\"\\u0007/é\\n\",\"b\":[1,true,null]}");
    }
}
