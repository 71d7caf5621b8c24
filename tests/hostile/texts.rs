//! Texts that trouble somebody: the hub, its database, its log, a terminal, a spreadsheet, a person's eyes.
//!
//! Made of families of trouble and the places where it may stand in a text that would be harmless without it.

/// How many there are at least.
#[cfg(test)]
const COUNT_MIN: usize = 500;

/// Trouble by itself, one family per line group.
const TROUBLE: &[&str] = &[
    // Control characters, and what ends a text early.
    "\0",
    "\x01",
    "\x08",
    "\t",
    "\n",
    "\r\n",
    "\x0b",
    "\x1a",
    "\x7f",
    "\u{85}",
    "\u{9b}31m",
    "\u{2028}",
    "\u{2029}",
    // Bidirectional overrides, marks and isolates.
    "\u{202a}",
    "\u{202b}",
    "\u{202d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2067}",
    "\u{2069}",
    "\u{200e}",
    "\u{200f}",
    "\u{61c}",
    // What is there and cannot be seen.
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{2060}",
    "\u{feff}",
    "\u{ad}",
    "\u{34f}",
    "\u{115f}",
    "\u{3164}",
    "\u{e0041}",
    "\u{fe0f}",
    "\u{a0}",
    "\u{3000}",
    "\u{2003}",
    "\u{180e}",
    // What has no character, or nobody's.
    "\u{fffd}",
    "\u{ffff}",
    "\u{fdd0}",
    "\u{10ffff}",
    "\u{e000}",
    "\u{f8ff}",
    // SQL.
    "' or '1'='1",
    "'; drop table account; --",
    "\"; delete from posting; --",
    "1) union select 1,2,3--",
    "%' --",
    "\\'",
    "/**/",
    "pg_sleep(9)",
    "attach database 'x' as x",
    // Paths and names of files.
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "/dev/null",
    "file:///etc/passwd",
    "C:\\con",
    "~root",
    "%2e%2e%2f",
    "\\\\host\\a",
    // Spreadsheets.
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(A1:A9)",
    "-2+3",
    "@SUM(1)",
    "=HYPERLINK(\"http://x.example\")",
    "\t=1",
    // XML, HTML and templates.
    "<script>alert(1)</script>",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///x'>]>",
    "<![CDATA[x]]>",
    "&lt;&amp;",
    "]]>",
    "{{7*7}}",
    "${jndi:ldap://x.example/a}",
    "#{1}",
    "<%= 1 %>",
    "javascript:alert(1)",
    // Terminals and logs.
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b[31mred",
    "\x1bP1$r",
    "{\"level\":\"ERROR\"}",
    "\n2026-11-22 ERROR forged",
    // Formats and shells.
    "%s%s%n",
    "%x%x%x",
    "$(reboot)",
    "`id`",
    ";id",
    "|id",
    "&& id",
    "$IFS",
    "\\x41",
    "\\u0041",
    "%00",
    "%0d%0a",
    // Letters that look like others.
    "аirline",
    "mаrket",
    "ɡold",
    "раураl",
    "ⅿarket",
    "ｍarket",
    "𝐦arket",
    "ﬁne",
    "ı",
    "İ",
    "ß",
    "ſ",
    // Emoji, their families and flags.
    "😀",
    "👨‍👩‍👧‍👦",
    "🏳️‍🌈",
    "🇨🇳",
    // Right to left, and marks on marks.
    "שלום",
    "مرحبا",
    "a\u{300}",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴",
];

/// A harmless text that most fields would take, to put trouble into.
const HARMLESS: &str = "ab12";

/// Every troubling text.
pub(crate) fn troubling() -> Vec<String> {
    let mut all = Vec::new();
    for &trouble in TROUBLE {
        all.push(trouble.to_owned());
        all.push(format!("{trouble}{HARMLESS}"));
        all.push(format!("{HARMLESS}{trouble}"));
        all.push(format!("ab{trouble}12"));
        all.push(trouble.repeat(50));
    }
    // Longer than any field.
    for letter in ["a", "0", "é", "漢", "😀", "\u{301}", "A\u{301}\u{302}\u{303}"] {
        all.extend([100, 1_000, 10_000].map(|times| letter.repeat(times)));
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn there_are_enough_and_some_of_them_are_letters_of_the_world() {
    let all = troubling();
    assert!(all.len() >= COUNT_MIN, "{}", all.len());
    assert!(all.contains(&"שלום".to_owned()) && all.iter().any(|text| text.len() > 10_000));
}
