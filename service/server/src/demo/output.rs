//! What the demo writes to standard output: sections as it goes on, or one JSON object at the end.
//!
//! What is absent: the progress line and errors; those go to standard error.

use std::io::{self, Write};

use super::closing::Closing;
use super::stage::{Failure, Row};
use super::summary::Summary;
use super::table;

/// In which form the run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Tables for people.
    Tables,
    /// One JSON object for programs.
    Json,
}

impl Form {
    /// A chapter that was played.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn chapter(self, title: &str, rows: &[Row]) -> io::Result<()> {
        self.section(title, &table::steps(rows))
    }

    /// A step that went otherwise than expected.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn failure(self, failure: &Failure) -> io::Result<()> {
        let Failure { step, who, what, expected, got } = failure;
        self.write(&format!(
            "\nSTEP {step} WENT OTHERWISE THAN EXPECTED: {who} {what}\n  expected  {expected}\n  got       {got}\n"
        ))
    }

    /// Where everything stands.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn closing(self, closing: &Closing) -> io::Result<()> {
        self.section(
            "Exchanges, as both of their partners list them",
            &table::exchanges(&closing.exchanges),
        )?;
        self.section("Balances", &table::balances(&closing.balances))?;
        self.section("Obligations: the committed exchanges of each pair", &table::debts(&closing.debts))
    }

    /// The end: what `check` found, and the run in two sentences or as JSON.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn end(self, summary: &Summary, check: &serde_json::Value) -> anyhow::Result<()> {
        if self == Self::Json {
            write(&format!("{}\n", summary.to_json()?))?;
            return Ok(());
        }
        self.section("Check: recomputed from the hub's records, without its rules", &table::check(check))?;
        self.write(&table::findings(check))?;
        Ok(self.write(&format!("\n{}\n", summary.sentences()))?)
    }

    /// Text for people only.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn write(self, text: &str) -> io::Result<()> {
        match self {
            Self::Tables => write(text),
            Self::Json => Ok(()),
        }
    }

    fn section(self, title: &str, body: &str) -> io::Result<()> {
        self.write(&format!("\n{title}\n{body}\n"))
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
