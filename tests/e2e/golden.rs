//! Golden files: texts that people review, compared with what the code says now.
//!
//! `POINTBRIDGE_GOLDEN=write` writes them anew, and fails, so that nobody leaves it set.

use std::fmt::Write;
use std::path::Path;

/// Holds that the golden file of this name has this text.
pub(crate) fn hold(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden").join(name);
    if std::env::var("POINTBRIDGE_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
        panic!("tests/e2e/golden/{name} was written: read what changed in it, line by line");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let changes = difference(&golden, text);
    assert!(
        changes.is_empty(),
        "tests/e2e/golden/{name} says otherwise (-) than the code (+); where the change is meant, write it with \
         POINTBRIDGE_GOLDEN=write and have it reviewed:\n{changes}"
    );
}

/// The lines that only one of two texts has, each with the last line before it that stands at the margin.
fn difference(golden: &str, text: &str) -> String {
    let mut changes = String::new();
    for (sign, one, other) in [('-', golden, text), ('+', text, golden)] {
        let known = under_headings(other);
        for (heading, line) in under_headings(one) {
            if !known.contains(&(heading, line)) {
                let under = if line == heading { "" } else { &format!("{heading}: ") };
                writeln!(changes, "{sign} {under}{}", line.trim()).unwrap();
            }
        }
    }
    changes
}

fn under_headings(text: &str) -> Vec<(&str, &str)> {
    let mut heading = "";
    text.lines()
        .map(|line| {
            if !line.starts_with(' ') {
                heading = line;
            }
            (heading, line)
        })
        .collect()
}

#[test]
fn a_line_that_moved_under_another_heading_is_a_difference() {
    let golden = "A\n  one\nB\n  two\n";
    assert_eq!(difference(golden, golden), "");
    assert_eq!(difference(golden, "A\n  two\nB\n  two\n"), "- A: one\n+ A: two\n");
    assert_eq!(difference(golden, "A\n  one\n"), "- B\n- B: two\n");
}
