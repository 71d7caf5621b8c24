//! The promises: each is listed with its tests, and each can be broken on purpose.
//!
//! `tests/promises/breaks.toml` says how a rule is broken and which test then fails; `tests/promises/rerun` does it. Held here
//! is what is cheap: that every break still finds what it breaks, and that no promise is without one. Absent: breaking them,
//! which compiles for minutes.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::house::{Breach, hold, root};

const BREAKS: &str = "tests/promises/breaks.toml";
const PROMISES: &str = "tests/PROMISES.md";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Breaks {
    #[serde(rename = "break")]
    breaks: Vec<Break>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    promise: String,
    rule: String,
    file: String,
    old: String,
    new: String,
    tests: Vec<String>,
}

fn breaches_of(one: &Break, text: &str) -> Option<Breach> {
    let found = text.matches(&one.old).count();
    let what = match () {
        () if found != 1 => {
            format!("{:?} is broken where its text stands once, and it stands {found} times", one.rule)
        }
        () if one.old == one.new => format!("{:?} is not broken by putting the same text", one.rule),
        () if one.tests.is_empty() => format!("{:?} names no test that notices", one.rule),
        () => return None,
    };
    Some(Breach::of(&one.file, format!("{what}: mend {BREAKS}")))
}

/// The promises that the page has a row for: `| P1 | …`.
fn promised(page: &str) -> BTreeSet<String> {
    let first = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    first.filter(|name| name.starts_with('P') && name[1..].parse::<u8>().is_ok()).map(str::to_owned).collect()
}

#[test]
fn every_break_finds_what_it_breaks() {
    let text = std::fs::read_to_string(root().join(BREAKS)).unwrap();
    let breaks: Breaks = toml::from_str(&text).unwrap();
    let breaches: Vec<Breach> = breaks
        .breaks
        .iter()
        .filter_map(|one| match std::fs::read_to_string(root().join(&one.file)) {
            Ok(text) => breaches_of(one, &text),
            Err(_) => Some(Breach::of(&one.file, format!("is gone: mend {BREAKS}"))),
        })
        .collect();
    hold("a break that finds nothing proves nothing", &breaches);
}

#[test]
fn every_promise_of_the_page_is_broken_once() {
    let page = std::fs::read_to_string(root().join(PROMISES)).unwrap();
    let breaks: Breaks = toml::from_str(&std::fs::read_to_string(root().join(BREAKS)).unwrap()).unwrap();
    let broken: BTreeSet<String> = breaks.breaks.into_iter().map(|one| one.promise).collect();
    let promised = promised(&page);
    assert!(promised.len() >= 11, "the page's table was not found: {promised:?}");
    assert_eq!(promised, broken, "{PROMISES} and {BREAKS} speak of different promises");
}

#[test]
fn a_break_that_finds_nothing_twice_or_changes_nothing_is_told() {
    let one = |old: &str, new: &str, tests: &[&str]| Break {
        promise: "P1".into(),
        rule: "a rule".into(),
        file: "a.rs".into(),
        old: old.into(),
        new: new.into(),
        tests: tests.iter().map(|&test| test.into()).collect(),
    };
    assert!(breaches_of(&one("b", "x", &["t"]), "a b c").is_none());
    for (old, new, tests) in [("z", "x", &["t"][..]), ("a", "x", &["t"]), ("b", "b", &["t"]), ("b", "x", &[])]
    {
        assert!(breaches_of(&one(old, new, tests), "a b a").is_some(), "{old} {new} {tests:?}");
    }
}
