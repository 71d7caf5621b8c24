//! What a test measured, as a short table: printed, and kept in the build's folder, because cargo hides what passing tests
//! print.

use std::fmt::Display;
use std::path::PathBuf;

/// Rows of a table, in the order in which they were noted.
pub(crate) struct Figures {
    name: &'static str,
    rows: Vec<(String, String)>,
}

impl Figures {
    /// An empty table of this name.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn note(&mut self, what: &str, found: impl Display) {
        self.rows.push((what.to_owned(), found.to_string()));
    }

    /// Prints the table and writes it to `tests-run/<name>.txt` beside what cargo builds.
    pub(crate) fn publish(&self) {
        let width = self.rows.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
        let row = |(what, found): &(String, String)| format!("  {what:<width$}  {found}\n");
        let table = format!("{}\n{}", self.name, self.rows.iter().map(row).collect::<String>());
        let test = std::env::current_exe().unwrap();
        let folder: PathBuf = test.ancestors().nth(3).expect("tests are built in the build's folder").into();
        let folder = folder.join("tests-run");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}.txt", self.name)), &table).unwrap();
        #[expect(clippy::print_stdout, reason = "figures are what the test is for")]
        {
            println!("{table}");
        }
    }
}
