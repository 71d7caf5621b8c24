//! The checkout as git sees it, and the one way in which a rule reports what it found.
//!
//! Files that are new and not ignored count like tracked ones, so that a rule bites before the commit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One place that breaks a rule, and what to do there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    /// Path from the top of the checkout.
    pub(crate) file: String,
    /// Counted from 1; 0 where the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl Breach {
    /// A breach at a line.
    pub(crate) fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }

    /// A breach of the file as a whole.
    pub(crate) fn of(file: &str, what: impl Into<String>) -> Self {
        Self::at(file, 0, what)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(out, "{}: {}", self.file, self.what)
        } else {
            write!(out, "{}:{}: {}", self.file, self.line, self.what)
        }
    }
}

/// Fails the calling test with one line per breach, if there is any.
pub(crate) fn hold(rule: &str, breaches: &[Breach]) {
    let lines: Vec<String> = breaches.iter().map(|breach| format!("  {breach}")).collect();
    assert!(breaches.is_empty(), "{rule}:\n{}", lines.join("\n"));
}

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests' crate is a folder of the checkout")
        .to_owned()
}

/// Every file of the checkout by its path from the top, sorted; neither ignored ones nor deleted ones.
pub(crate) fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        // A checkout that another user made is one, too.
        .envs([
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "safe.directory"),
            ("GIT_CONFIG_VALUE_0", "*"),
        ])
        .current_dir(root())
        .output()
        .expect("git must be installed to run these tests");
    let refusal = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "these tests need a checkout made by git: {refusal}");
    let listing = String::from_utf8(output.stdout).expect("names of files are UTF-8");
    let mut files: Vec<String> =
        listing.split('\0').filter(|name| root().join(name).is_file()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    assert!(files.len() > 10, "git lists almost no files: these tests would prove nothing");
    files
}

/// The bytes of a file of the checkout.
pub(crate) fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The text of a file of the checkout, or nothing if it is no text.
pub(crate) fn text(file: &str) -> Option<String> {
    String::from_utf8(bytes(file)).ok().filter(|text| !text.contains('\0'))
}

/// Path and text of every text file that `wanted` picks.
pub(crate) fn texts(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    tracked()
        .into_iter()
        .filter(|file| wanted(file))
        .filter_map(|file| text(&file).map(|text| (file, text)))
        .collect()
}

/// Path and text of every Rust file. What the build generates lies outside of the checkout.
pub(crate) fn rust_texts() -> Vec<(String, String)> {
    texts(|file| Path::new(file).extension().is_some_and(|ending| ending == "rs"))
}

#[test]
fn breaches_name_the_place_and_the_remedy() {
    assert_eq!(Breach::at("a/b.rs", 7, "say why").to_string(), "a/b.rs:7: say why");
    assert_eq!(Breach::of("a/b.rs", "say why").to_string(), "a/b.rs: say why");
}

#[test]
#[should_panic(expected = "rule:\n  a.rs: wrong")]
fn a_breach_fails_its_test() {
    hold("rule", &[Breach::of("a.rs", "wrong")]);
}
