//! Amounts that are none: what people, spreadsheets, programming languages and attackers write for numbers, and the hub
//! must not take for one.
//!
//! Every text here breaks the form that the interface prints: digits without leading zeros, and at most one point with
//! digits on both sides. Absent: numbers of the right form that are too large or too fine, which stand in [`unfit`].

/// How many there are at least.
#[cfg(test)]
const COUNT_MIN: usize = 300;

/// Numbers that would pass, to be broken.
const SOUND: &[&str] = &["0", "1", "10", "66", "12.5", "100.00"];

/// What is put before a sound number.
const BEFORE: &[&str] = &[
    "+", "-", "--", "+-", " ", "\t", "\n", "\u{a0}", "\u{3000}", "\u{feff}", "\u{200b}", "\u{202e}", "0",
    "00", "0x", "$", "¥", "#", "'", "=", "\0", "~",
];

/// What is put behind one.
const BEHIND: &[&str] = &[
    ".",
    "..",
    ",",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "e3",
    "E3",
    "e-3",
    "e+3",
    "f",
    "L",
    "n",
    "d",
    "%",
    "k",
    "‰",
    "-",
    "+",
    "/1",
    ":00",
    "\u{200b}",
    "\u{a0}",
    "\u{301}",
    "_",
    "'",
    "\"",
    ";drop table account",
];

/// Texts of their own.
const WHOLE: &[&str] = &[
    "",
    " ",
    "NaN",
    "nan",
    "-NaN",
    "sNaN",
    "qNaN",
    "inf",
    "Infinity",
    "-Infinity",
    "+inf",
    "∞",
    "null",
    "None",
    "nil",
    "undefined",
    "true",
    "false",
    "one",
    "0x10",
    "0o17",
    "0b11",
    "&H10",
    "1_000",
    "1,000",
    "1.000,00",
    "1 000",
    "1'000",
    "1.2.3",
    "1..2",
    ".5",
    ".",
    "-.5",
    "5.",
    "00",
    "007",
    "0.",
    ".0",
    "-0",
    "-0.0",
    "+0",
    "1e3",
    "1E400",
    "1e-400",
    "0e0",
    "1/3",
    "½",
    "Ⅻ",
    "⑩",
    "一百",
    "壹佰",
    "1⃣",
    "1²",
    "0,5",
    "1.5.",
    "1-1",
    "(1)",
    "{1}",
    "${1}",
    "[1]",
    "=1+1",
    "1;1",
];

/// The first of ten digits in a row, in scripts that are not ours.
const SCRIPTS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
    0x1040, 0x17e0, 0x1810, 0xa620, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7f6,
];

/// Every amount that is none.
pub(crate) fn malformed() -> Vec<String> {
    let mut all: Vec<String> = WHOLE.iter().map(|&text| text.to_owned()).collect();
    for &sound in SOUND {
        all.extend(BEFORE.iter().map(|before| format!("{before}{sound}")));
        all.extend(BEHIND.iter().map(|behind| format!("{sound}{behind}")));
    }
    for &script in SCRIPTS {
        let digit = |offset| char::from_u32(script + offset).expect("ten digits in a row");
        all.push([digit(1), digit(2), digit(3)].iter().collect());
        all.push(format!("1{}", digit(0)));
        all.push(format!("1.{}", digit(5)));
    }
    // Longer than any number of the interface.
    all.extend([21, 40, 100, 1_000, 20_000].map(|length| "9".repeat(length)));
    all.extend([13, 40, 1_000].map(|length| format!("1.{}", "1".repeat(length))));
    // Of the right form, and so not for this table: a point behind digits, and digits behind a point.
    all.retain(|text| !is_sound(text));
    all.sort();
    all.dedup();
    all
}

/// Amounts of the right form that no program and no currency has room for.
pub(crate) fn unfit() -> Vec<String> {
    let mut all: Vec<String> =
        ["99999999999999999999", "18446744073709551616", "9223372036854775808", "10000000000000000000"]
            .map(str::to_owned)
            .to_vec();
    all.extend((7..=12).map(|decimals| format!("1.{}1", "0".repeat(decimals - 1))));
    all
}

/// The form of the interface, told without the pattern that the hub uses.
fn is_sound(text: &str) -> bool {
    let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole_fits = digits(whole) && whole.len() <= 20 && (whole == "0" || !whole.starts_with('0'));
    whole_fits && part.is_none_or(|part| digits(part) && part.len() <= 12)
}

/// The same without the sign that some amounts may have.
pub(crate) fn is_sound_but_for_its_sign(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(is_sound)
}

#[test]
fn there_are_enough_and_each_is_wrong() {
    let all = malformed();
    assert!(all.len() >= COUNT_MIN, "{}", all.len());
    assert!(SOUND.iter().all(|text| is_sound(text)) && unfit().iter().all(|text| is_sound(text)));
    assert!(!is_sound("01") && !is_sound("1.") && !is_sound("") && is_sound_but_for_its_sign("-1"));
}
