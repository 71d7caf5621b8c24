//! Sections of pages, run as they stand: their commands in one bash, and what they say they print. The README's day with grpcurl
//! is one.
//!
//! A text block behind commands names lines that they print, in this order; `…` stands for anything, and alone on a line
//! for any lines. A block that says `not run:` and a reason behind its language is left out. Absent: substitutions in the
//! commands; the one thing that a reader may set, the address, is set here.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::grpcurl;
use crate::program::{path, text};

/// What the commands print between two blocks.
const MARK: &str = "@@ block";
/// How long the whole tour may take on a busy machine.
const TOUR_MAX: Duration = Duration::from_mins(3);

/// A section of a page, to be run in an empty folder.
pub(super) struct Walk {
    /// The page, from the top of the checkout.
    pub(super) page: &'static str,
    /// The section's line.
    pub(super) section: &'static str,
    /// Commands that the reader has behind him.
    pub(super) before: &'static str,
    /// How many blocks of commands there are at least, so that none gets lost.
    pub(super) blocks_min: usize,
}

/// Commands, and the lines that they print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    commands: String,
    prints: Vec<String>,
}

/// The text of a page, by its path from the top of the checkout.
pub(super) fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// What a block's first line says why it is not run.
pub(super) fn reason_not_run(fence: &str) -> Option<&str> {
    fence.strip_prefix("sh not run: ").filter(|reason| !reason.is_empty())
}

fn steps(page: &str, section: &str) -> Vec<Step> {
    let (_, section) = page.split_once(&format!("{section}\n")).expect("the page has the section");
    let section = section.split("\n## ").next().unwrap();
    let mut steps: Vec<Step> = Vec::new();
    let mut fences = section.split("\n```");
    fences.next();
    while let (Some(fence), Some(_)) = (fences.next(), fences.next()) {
        let (language, content) = fence.split_once('\n').expect("a fence has a language");
        match language {
            "sh" => steps.push(Step { commands: content.to_owned(), prints: Vec::new() }),
            "text" => {
                let step = steps.last_mut().expect("commands stand before what they print");
                step.prints = content.lines().map(str::to_owned).collect();
            }
            // Neither commands nor what they print: a drawing, say.
            "" => {}
            other if reason_not_run(other).is_some() => {}
            other => panic!("a block of {other:?}: only sh and text are run and compared"),
        }
    }
    steps
}

/// One script of all commands, as a reader pastes them, that ends at the first that fails and leaves nothing running.
fn script(steps: &[Step]) -> String {
    let mut script =
        "exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\ntrap 'exit 1' TERM\n".to_owned();
    for step in steps {
        script += &step.commands;
        script += &["\nprintf '%s\\n' '", MARK, "'\n"].concat();
    }
    script
}

/// The first line that a step should print, and does not at its place.
fn not_printed<'a>(expected: &'a [String], printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines();
    expected
        .iter()
        .map(String::as_str)
        .filter(|line| line.trim() != "…")
        .find(|line| !lines.any(|found| is_like(found, line)))
}

/// Whether a line is as expected, where `…` stands for anything.
fn is_like(line: &str, expected: &str) -> bool {
    let parts: Vec<&str> = expected.split('…').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return line == expected };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

impl Walk {
    /// Runs the section, and holds that it ends well and prints what it says.
    pub(super) async fn hold(&self) {
        let steps = steps(&page(self.page), self.section);
        assert!(steps.len() >= self.blocks_min, "{steps:?}");
        let folder = tempfile::tempdir().unwrap();
        let programs = [path(), grpcurl()].map(|program| program.parent().unwrap().to_owned());
        let usual = std::env::var_os("PATH").unwrap();
        let all = programs.into_iter().chain(std::env::split_paths(&usual));
        let whole =
            [&[Step { commands: self.before.to_owned(), prints: Vec::new() }], steps.as_slice()].concat();
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &script(&whole)])
            .current_dir(folder.path())
            .env("PATH", std::env::join_paths(all).unwrap())
            .env("POINTBRIDGE_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.path().join("output")).unwrap());
        let (ended, output) = self.run(command, folder.path()).await;
        let log = std::fs::read(folder.path().join("hub/log")).map(|bytes| text(&bytes)).unwrap_or_default();
        assert!(ended.success(), "{}: {ended}\n{output}\n{log}", self.page);
        let printed: Vec<&str> = output.split(&format!("{MARK}\n")).collect();
        assert_eq!(printed.len(), whole.len() + 1, "{output}");
        for (step, printed) in whole.iter().zip(printed) {
            let missing = not_printed(&step.prints, printed);
            assert_eq!(
                missing, None,
                "{} says that\n{}\nprints this, and it prints\n{printed}",
                self.page, step.commands
            );
        }
    }

    /// Runs the commands to their end, which is not awaited for ever; answers with what they printed.
    async fn run(&self, command: Command, folder: &Path) -> (ExitStatus, String) {
        let mut child = tokio::process::Command::from(command).spawn().unwrap();
        let ended = tokio::time::timeout(TOUR_MAX, child.wait()).await;
        let process = child.id().map(|id| id.to_string());
        if let (Err(_), Some(process)) = (&ended, process) {
            // Asked, not killed, so that it ends the hub that it started.
            Command::new("sh").args(["-c", "kill -TERM \"$0\"", &process]).status().unwrap();
            child.wait().await.unwrap();
        }
        let output = std::fs::read(folder.join("output")).map(|bytes| text(&bytes)).unwrap_or_default();
        let status = ended.unwrap_or_else(|_| panic!("{} does not end:\n{output}", self.page)).unwrap();
        (status, output)
    }
}

#[tokio::test]
async fn the_readmes_day_with_grpcurl_runs_as_it_stands() {
    let walk = Walk {
        page: "README.md",
        section: "## One alliance day with grpcurl",
        before: "true",
        blocks_min: 8,
    };
    walk.hold().await;
}

#[test]
fn commands_and_what_they_print_are_read_from_the_section_alone() {
    let page = "```sh\nno\n```\n## Walk\ntext\n```sh\none\n```\n```text\n1\n…\n```\nmore\n```sh not run: why\nno\n```\n```sh\ntwo\n```\n## Next\n```sh\nno\n```\n";
    let step = |commands: &str, prints: &[&str]| Step {
        commands: commands.to_owned(),
        prints: prints.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!((reason_not_run("sh not run: "), reason_not_run("sh")), (None, None));
    assert_eq!(steps(page, "## Walk"), [step("one", &["1", "…"]), step("two", &[])]);
}

#[test]
fn a_line_that_is_missing_or_out_of_order_is_found() {
    let expected = ["a", "…", "id: exc_…", "… rows: … well"].map(str::to_owned);
    assert_eq!(not_printed(&expected, "a\nx\nid: exc_07\n63 rows: all well\n"), None);
    assert_eq!(not_printed(&expected, "a\nid: exc_07\n63 rows: all ill\n"), Some("… rows: … well"));
    assert_eq!(not_printed(&expected, "id: exc_07\na\n63 rows: all well\n"), Some("id: exc_…"));
}
