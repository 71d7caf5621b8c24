//! What `clients/README.md` tells new users, held against what is: every reason with what to do about it, and programs that are
//! the very examples that the tests run.
//!
//! Absent: running its commands, which `tests/run` does.

use crate::house::{Breach, hold, text};
use pointbridge_core::rejection::Reason;

const PAGE: &str = "clients/README.md";
/// What stands above the table of reasons.
const REASONS_HEAD: &str = "| reason | what it means for you | what to do |";
/// What a reason's row says where the same request may be sent again, and nowhere else.
const REPEAT: &str = "**repeat**";
/// The programs that the page shows, by the language of their block.
const PROGRAMS: [(&str, &str); 2] =
    [("python", "clients/python/examples/exchange.py"), ("rust", "clients/rust/examples/exchange.rs")];

/// Reasons of the table with the rest of their rows.
fn rows(page: &str) -> Vec<(String, String)> {
    let table = page.split_once(REASONS_HEAD).map(|(_, table)| table.trim_start()).unwrap_or_default();
    table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        .collect()
}

/// Reasons that have no row or two, rows of no reason, and rows that say to repeat what time does not mend, or the contrary.
fn reasons_amiss(page: &str, reasons: &[Reason]) -> Vec<Breach> {
    let rows = rows(page);
    let mut breaches = Vec::new();
    for reason in reasons {
        let name = reason.as_str();
        let of_it: Vec<&str> =
            rows.iter().filter(|(row, _)| row == name).map(|(_, rest)| rest.as_str()).collect();
        match of_it.as_slice() {
            [rest] if rest.contains(REPEAT) == reason.class().is_retryable() => {}
            [_] => breaches.push(Breach::of(
                PAGE,
                format!("{name}: a row says {REPEAT} exactly where the refusal carries RetryInfo"),
            )),
            _ => breaches
                .push(Breach::of(PAGE, format!("{name} has {} rows in the table of reasons", of_it.len()))),
        }
    }
    let is_reason = |row: &str| reasons.iter().any(|reason| reason.as_str() == row);
    let stale = rows.iter().filter(|(row, _)| !is_reason(row));
    breaches.extend(stale.map(|(row, _)| Breach::of(PAGE, format!("{row} is no reason of the API"))));
    breaches
}

/// Whether the page's one block in this language is the program.
fn shows(page: &str, language: &str, program: &str) -> bool {
    let fence = format!("\n```{language}\n");
    let mut blocks = page.split(&fence).skip(1);
    let block =
        blocks.next().and_then(|rest| rest.split_once("\n```\n")).map(|(block, _)| format!("{block}\n"));
    block.as_deref() == Some(program) && blocks.next().is_none()
}

fn page() -> String {
    text(PAGE).expect("the clients' page is there")
}

#[test]
fn every_reason_has_a_row_that_says_what_to_do() {
    hold("reasons in the clients' page", &reasons_amiss(&page(), Reason::ALL));
}

#[test]
fn the_programs_shown_are_the_examples() {
    let breaches: Vec<Breach> = PROGRAMS
        .iter()
        .filter(|(language, file)| !shows(&page(), language, &text(file).unwrap_or_default()))
        .map(|(_, file)| Breach::of(PAGE, format!("shows another program than {file}: copy it there")))
        .collect();
    hold("programs in the clients' page", &breaches);
}

#[test]
fn a_missing_a_stale_and_a_wrong_row_are_found() {
    let page = |rows: &str| {
        format!("text\n{REASONS_HEAD}\n| --- | --- | --- |\n{rows}\n| `LATER` | another table |")
    };
    let reasons = [Reason::QuoteUsed, Reason::Overloaded];
    let (used, overloaded) =
        ("| `QUOTE_USED` | Used. | **again** |", "| `OVERLOADED` | Busy. | **repeat** |");
    let amiss = |rows: &[&str]| reasons_amiss(&page(&format!("{}\n", rows.join("\n"))), &reasons).len();
    assert_eq!(amiss(&[used, overloaded]), 0);
    assert_eq!(amiss(&[used]), 1);
    assert_eq!(amiss(&[used, used, overloaded]), 1);
    assert_eq!(amiss(&[used, overloaded, "| `QUOTE_LOST` | Lost. | **again** |"]), 1);
    assert_eq!(amiss(&[used, "| `OVERLOADED` | Busy. | **again** |"]), 1);
    assert_eq!(amiss(&["| `QUOTE_USED` | Used. | **repeat** |", overloaded]), 1);
}

#[test]
fn another_program_is_found() {
    assert!(shows("a\n```python\nx = 1\n```\n", "python", "x = 1\n"));
    assert!(!shows("a\n```python\nx = 2\n```\n", "python", "x = 1\n"));
    assert!(!shows("a\n```python\nx = 1\n```\n```python\ny\n```\n", "python", "x = 1\n"));
    assert!(!shows("a\n", "python", "x = 1\n"));
    assert!(shows("a\n```rust\n//! ```sh\n```\n", "rust", "//! ```sh\n"));
}
