//! Migrations: numbered without gaps, the same names in every dialect, and never edited once they are listed.
//!
//! `checksums.txt` of a dialect has a line as `sha256sum` prints it for each of its files, oldest first. A new
//! migration adds its line at the end; a line that is there does not change again.

use crate::house::{Breach, bytes, hold, text, tracked};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const FOLDER: &str = "migrations/";
const LIST: &str = "checksums.txt";

/// Names of files by dialect, both sorted; a file outside of a dialect's folder belongs to the dialect "".
fn by_dialect(files: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut dialects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter_map(|file| file.strip_prefix(FOLDER)) {
        let (dialect, name) = file.split_once('/').unwrap_or(("", file));
        dialects.entry(dialect.to_owned()).or_default().insert(name.to_owned());
    }
    dialects
}

/// The number of `NNNN_name.sql`, where the name is of lower-case words.
fn number(name: &str) -> Option<usize> {
    let (number, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (number.len() == 4 && !rest.is_empty() && rest.chars().all(plain)).then(|| number.parse().ok())?
}

fn migrations(names: &BTreeSet<String>) -> impl Iterator<Item = &String> {
    names.iter().filter(|name| *name != LIST)
}

fn misnamed(dialects: &BTreeMap<String, BTreeSet<String>>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (dialect, names) in dialects {
        for (index, name) in migrations(names).enumerate() {
            let expected = index + 1;
            match number(name) {
                Some(number) if number == expected && !dialect.is_empty() => {}
                Some(_) if !dialect.is_empty() => {
                    breaches.push(Breach::of(
                        &path(dialect, name),
                        format!("should have the number {expected:04}"),
                    ));
                }
                _ => breaches.push(Breach::of(
                    &path(dialect, name),
                    "should be named <dialect>/NNNN_name.sql, with a name of lower-case words",
                )),
            }
        }
    }
    breaches
}

fn unpaired(dialects: &BTreeMap<String, BTreeSet<String>>) -> Vec<Breach> {
    let every: BTreeSet<&String> = dialects.values().flat_map(migrations).collect();
    dialects
        .iter()
        .flat_map(|(dialect, names)| {
            every.iter().filter(|name| !names.contains(**name)).map(move |name| path(dialect, name))
        })
        .map(|file| Breach::of(&file, "is missing: a migration exists in every dialect under one name"))
        .collect()
}

/// Compares a dialect's files with its list of checksums.
fn edited(dialect: &str, files: &BTreeMap<String, Vec<u8>>, list: &str) -> Vec<Breach> {
    let listed: BTreeMap<&str, &str> =
        list.lines().filter_map(|line| line.split_once("  ")).map(|(sum, name)| (name, sum)).collect();
    let remedy = |name: &str| format!("(cd {FOLDER}{dialect} && sha256sum {name} >> {LIST})");
    let changed = files.iter().filter_map(|(name, content)| {
        let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        match listed.get(name.as_str()) {
            None => Some(Breach::of(&path(dialect, name), format!("is not listed yet: {}", remedy(name)))),
            Some(found) if *found != sum => Some(Breach::of(
                &path(dialect, name),
                "was edited after it was listed: put it back, and write a new migration",
            )),
            Some(_) => None,
        }
    });
    let gone = listed
        .keys()
        .filter(|name| !files.contains_key(**name))
        .map(|name| Breach::of(&path(dialect, name), "is listed and gone: put it back"));
    let malformed = list
        .lines()
        .enumerate()
        .filter(|(_, line)| line.split_once("  ").is_none_or(|(sum, _)| sum.len() != 64))
        .map(|(index, _)| Breach::at(&path(dialect, LIST), index + 1, "should read `<sha256>  <file>`"));
    changed.chain(gone).chain(malformed).collect()
}

fn path(dialect: &str, name: &str) -> String {
    format!("{FOLDER}{dialect}/{name}")
}

fn house() -> BTreeMap<String, BTreeSet<String>> {
    let dialects = by_dialect(&tracked());
    assert!(dialects.contains_key("sqlite"), "migrations/sqlite has no files: the rule would prove nothing");
    dialects
}

#[test]
fn migrations_are_numbered_without_gaps() {
    hold("names of migrations", &misnamed(&house()));
}

#[test]
fn migrations_are_paired_across_dialects() {
    hold("pairs of migrations", &unpaired(&house()));
}

#[test]
fn migrations_are_never_edited() {
    let mut breaches = Vec::new();
    for (dialect, names) in house() {
        let files = migrations(&names).map(|name| (name.clone(), bytes(&path(&dialect, name)))).collect();
        let list = if names.contains(LIST) { text(&path(&dialect, LIST)).unwrap() } else { String::new() };
        breaches.extend(edited(&dialect, &files, &list));
    }
    hold("checksums of migrations", &breaches);
}

fn dialects(files: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    by_dialect(&files.iter().map(|file| format!("{FOLDER}{file}")).collect::<Vec<_>>())
}

#[test]
fn a_gap_or_a_wrong_name_is_found() {
    let cases: [(&[&str], usize); 6] = [
        (&["sqlite/0001_start.sql", "sqlite/0002_lots.sql", "sqlite/checksums.txt"], 0),
        (&["sqlite/0001_start.sql", "sqlite/0003_lots.sql"], 1),
        (&["sqlite/0001_start.sql", "sqlite/0001_twice.sql"], 1),
        (&["sqlite/1_start.sql"], 1),
        (&["sqlite/0001_Start.sql"], 1),
        (&["0001_start.sql"], 1),
    ];
    for (files, breaches) in cases {
        assert_eq!(misnamed(&dialects(files)).len(), breaches, "{files:?}");
    }
}

#[test]
fn a_migration_without_its_pair_is_found() {
    assert_eq!(unpaired(&dialects(&["sqlite/0001_a.sql", "postgres/0001_a.sql"])), []);
    assert_eq!(unpaired(&dialects(&["sqlite/0001_a.sql", "postgres/0001_b.sql"])).len(), 2);
}

#[test]
fn an_edited_missing_or_unlisted_migration_is_found() {
    let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(b"create table a;"));
    let list = format!("{sum}  0001_a.sql\n");
    let files = |content: &[u8]| BTreeMap::from([("0001_a.sql".to_owned(), content.to_vec())]);
    assert_eq!(edited("sqlite", &files(b"create table a;"), &list), []);
    assert_eq!(edited("sqlite", &files(b"create table b;"), &list).len(), 1);
    assert_eq!(edited("sqlite", &BTreeMap::new(), &list).len(), 1);
    assert_eq!(edited("sqlite", &files(b"create table a;"), "").len(), 1);
    assert_eq!(edited("sqlite", &files(b"create table a;"), &format!("{list}nonsense\n")).len(), 1);
}
