//! Texts that speak of this project alone, and whose references lead somewhere.
//!
//! Absent: spelling (typos does that) and whether a command exists (`tests/run` asks the program itself).

use crate::house::{Breach, hold, texts, tracked};
use std::path::Path;

/// First folders of paths that exist on one machine only.
const MACHINE_FOLDERS: [&str; 5] = ["root", "home", "Users", "work", "workspace"];
/// Parts of options and hosts that send a package manager to a registry of one's own, joined by a dash.
const REGISTRY_OPTIONS: [[&str; 2]; 3] = [["index", "url"], ["find", "links"], ["replace", "with"]];
/// What work is counted by elsewhere; in a text of ours a number behind it leads nowhere.
const TRACKERS: [&str; 6] = ["issue", "ticket", "task", "session", "sprint", "milestone"];
/// The one source from which the lock file may name packages.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

const LOCK: &str = "Cargo.lock";

/// Each line of a text with its number, from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Whether the character can stand inside a path or a word.
fn within(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '}' | '$' | '~')
}

fn machine_paths(file: &str, text: &str) -> Vec<Breach> {
    let absolute = |line: &str| {
        MACHINE_FOLDERS.iter().any(|folder| {
            let needle = format!("/{folder}/");
            line.match_indices(&needle).any(|(at, _)| !line[..at].ends_with(within))
        })
    };
    numbered(text)
        .filter(|(_, line)| absolute(line))
        .map(|(number, _)| {
            Breach::at(file, number, "names a path of one machine: say it from the top of the checkout")
        })
        .collect()
}

fn registries(file: &str, text: &str) -> Vec<Breach> {
    let foreign = |line: &str| {
        if file == LOCK {
            line.strip_prefix("source = ").is_some_and(|source| source.trim_matches('"') != REGISTRY)
        } else {
            REGISTRY_OPTIONS.iter().any(|parts| line.contains(&parts.join("-")))
        }
    };
    numbered(text)
        .filter(|(_, line)| foreign(line))
        .map(|(number, _)| {
            Breach::at(file, number, "names a registry: packages come from where the user's tools say")
        })
        .collect()
}

fn tracker_references(file: &str, text: &str) -> Vec<Breach> {
    let counted = |line: &str| {
        let lower = line.to_lowercase();
        TRACKERS.iter().any(|tracker| {
            lower.match_indices(tracker).any(|(at, _)| {
                let behind = &lower[at + tracker.len()..];
                let number = behind
                    .strip_prefix(" #")
                    .or_else(|| behind.strip_prefix('#'))
                    .or_else(|| behind.strip_prefix(' '));
                !lower[..at].ends_with(within)
                    && number.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            })
        })
    };
    numbered(text)
        .filter(|(_, line)| counted(line))
        .map(|(number, _)| {
            Breach::at(file, number, "counts work by its number elsewhere: say the reason itself")
        })
        .collect()
}

/// Names of Markdown files that no tracked file has.
fn unknown_pages(file: &str, text: &str, files: &[String]) -> Vec<Breach> {
    let ending = [".", "md"].concat();
    let is_page = |name: &str| files.iter().any(|known| known.rsplit('/').next() == Some(name));
    let mut breaches = Vec::new();
    for (number, line) in numbered(text) {
        let named = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-')));
        for word in named.map(|word| word.trim_end_matches('.')) {
            let page = word.rsplit('/').next().unwrap_or_default();
            if page.len() > ending.len() && page.ends_with(&ending) && !is_page(page) {
                breaches.push(Breach::at(
                    file,
                    number,
                    format!("names {page}, which is not in the checkout"),
                ));
            }
        }
    }
    breaches
}

/// Targets of `[text](target)` that lie in the checkout, with their lines.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    numbered(text)
        .flat_map(|(number, line)| {
            line.split("](")
                .skip(1)
                .filter_map(move |rest| Some((number, rest.split_once(')')?.0.to_owned())))
        })
        .filter(|(_, target)| {
            !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#')
        })
        .collect()
}

fn broken_links(file: &str, text: &str, files: &[String]) -> Vec<Breach> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    relative_links(text)
        .into_iter()
        .filter(|(_, target)| {
            let path = target.split('#').next().unwrap_or_default();
            let reached = resolve(folder, path);
            !reached.is_some_and(|reached| {
                files.iter().any(|known| *known == reached || known.starts_with(&format!("{reached}/")))
            })
        })
        .map(|(number, target)| {
            Breach::at(file, number, format!("links to {target}, which is not in the checkout"))
        })
        .collect()
}

/// The path from the top that `path` means inside `folder`; nothing if it climbs out of the checkout.
fn resolve(folder: &Path, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.iter().filter_map(|part| part.to_str()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn is_page(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "md")
}

#[test]
fn no_text_names_a_path_of_one_machine() {
    let breaches: Vec<Breach> =
        texts(|_| true).iter().flat_map(|(file, text)| machine_paths(file, text)).collect();
    hold("paths of one machine", &breaches);
}

#[test]
fn packages_come_from_the_public_registry() {
    let breaches: Vec<Breach> =
        texts(|_| true).iter().flat_map(|(file, text)| registries(file, text)).collect();
    hold("registries", &breaches);
}

#[test]
fn no_text_counts_work_by_numbers() {
    let breaches: Vec<Breach> =
        texts(|file| file != LOCK).iter().flat_map(|(file, text)| tracker_references(file, text)).collect();
    hold("references to work", &breaches);
}

#[test]
fn every_page_that_is_named_exists() {
    let files = tracked();
    let breaches: Vec<Breach> = texts(|file| file != LOCK)
        .iter()
        .flat_map(|(file, text)| unknown_pages(file, text, &files))
        .collect();
    hold("pages that are named", &breaches);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let files = tracked();
    let breaches: Vec<Breach> =
        texts(is_page).iter().flat_map(|(file, text)| broken_links(file, text, &files)).collect();
    hold("links between pages", &breaches);
}

#[test]
fn a_path_of_one_machine_is_found() {
    for folder in MACHINE_FOLDERS {
        assert_eq!(machine_paths("a.sh", &format!("cd /{folder}/me\n")).len(), 1, "{folder}");
        assert_eq!(machine_paths("a.sh", &format!("cd service/{folder}/me\ncd $X/{folder}/me\n")), []);
    }
}

#[test]
fn a_registry_of_ones_own_is_found() {
    for parts in REGISTRY_OPTIONS {
        assert_eq!(registries("a.sh", &format!("tool --{} x", parts.join("-"))).len(), 1);
    }
    assert_eq!(registries(LOCK, &format!("source = \"{REGISTRY}\"")), []);
    assert_eq!(registries(LOCK, "source = \"registry+https://example.com/index\"").len(), 1);
}

#[test]
fn a_number_of_work_is_found() {
    for tracker in TRACKERS {
        for mark in [" ", " #", "#"] {
            assert_eq!(
                tracker_references("a.rs", &format!("// see {tracker}{mark}12\n")).len(),
                1,
                "{tracker}{mark}"
            );
        }
        assert_eq!(tracker_references("a.rs", &format!("// a {tracker} of its own, tls{tracker} 1\n")), []);
    }
}

#[test]
fn a_page_or_link_that_leads_nowhere_is_found() {
    let files = [["service/STYLE", "md"].join("."), "service/core/src/lib.rs".to_owned()];
    let gone = ["GONE", "md"].join(".");
    assert_eq!(unknown_pages("a.rs", &format!("// see {}.", files[0]), &files), []);
    assert_eq!(unknown_pages("a.rs", &format!("// see `{gone}`"), &files).len(), 1);
    let here = &["service/README", "md"].join(".");
    let good = format!(
        "[style]({}) [core](core/src#a) [top](../service) [web](https://example.com)",
        ["STYLE", "md"].join(".")
    );
    assert_eq!(broken_links(here, &good, &files), []);
    assert_eq!(broken_links(here, "[x](core/srcs) [y](../../z)", &files).len(), 2);
}
