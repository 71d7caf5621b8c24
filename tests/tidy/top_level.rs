//! The top level of the checkout, and names that say nothing.

use crate::house::{Breach, hold, tracked};
use std::collections::BTreeSet;

/// What lies at the top, beside dotfiles. Each is there, and nothing else is.
const TOP: [&str; 9] =
    ["Cargo.lock", "Cargo.toml", "README.md", "clients", "deploy", "migrations", "proto", "service", "tests"];

/// Names that hold whatever found no better place.
const NAMELESS: [&str; 9] =
    ["utils", "util", "common", "commons", "helpers", "helper", "misc", "shared", "stuff"];

fn top_level(files: &[String]) -> Vec<Breach> {
    let present: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    let extra = present
        .iter()
        .filter(|name| !TOP.contains(*name) && !name.starts_with('.'))
        .map(|name| Breach::of(name, "does not belong at the top level: move it into one of the folders"));
    let missing = TOP
        .iter()
        .filter(|name| !present.contains(*name))
        .map(|name| Breach::of(name, "is missing at the top level: the layout promises it"));
    extra.chain(missing).collect()
}

fn toolchain_files(files: &[String]) -> Vec<Breach> {
    files
        .iter()
        .filter(|file| {
            let name = file.rsplit('/').next().unwrap_or_default();
            name == "rust-toolchain" || name == "rust-toolchain.toml"
        })
        .map(|file| {
            Breach::of(
                file,
                "delete it: the machine chooses the toolchain, `rust-version` says what is needed",
            )
        })
        .collect()
}

fn nameless(files: &[String]) -> Vec<Breach> {
    files
        .iter()
        .filter(|file| {
            file.split('/').any(|part| NAMELESS.contains(&part.split('.').next().unwrap_or_default()))
        })
        .map(|file| Breach::of(file, "is named after no idea: name it by the noun it holds"))
        .collect()
}

#[test]
fn the_top_level_is_the_fixed_one() {
    hold("the top level is fixed", &top_level(&tracked()));
}

#[test]
fn the_machine_chooses_the_toolchain() {
    hold("no toolchain file", &toolchain_files(&tracked()));
}

#[test]
fn every_file_is_named_by_what_it_holds() {
    hold("no file without an idea", &nameless(&tracked()));
}

fn listing(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_stray_or_missing_entry_at_the_top_is_found() {
    let complete: Vec<&str> = TOP.iter().copied().chain([".gitignore"]).collect();
    assert_eq!(top_level(&listing(&complete)), []);
    let stray: Vec<&str> = complete.iter().copied().chain(["scripts/x"]).collect();
    assert_eq!(top_level(&listing(&stray)).len(), 1);
    assert_eq!(top_level(&listing(complete.get(1..).unwrap())).len(), 1);
}

#[test]
fn a_toolchain_file_is_found_at_any_depth() {
    assert_eq!(
        toolchain_files(&listing(&["rust-toolchain.toml", "service/rust-toolchain", "a.rs"])).len(),
        2
    );
}

#[test]
fn a_name_without_an_idea_is_found_as_file_and_as_folder() {
    assert_eq!(nameless(&listing(&["a/utils.rs", "tests/common/mod.rs", "a/commonly.rs"])).len(), 2);
}
