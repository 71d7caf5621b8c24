//! What commands print for people and programs.
//!
//! Nobody who stops reading (a pager that was closed) changes what a command does or how it ends.

use std::io::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

/// A line on standard output.
pub(super) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// An error and what caused it, on standard error.
pub(super) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "pointbridge: {}", in_full(error));
}

/// An error and its causes, from the outside in. What was said already, as by an error that repeats its source, is left out.
fn in_full(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A table as wide as the terminal.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::anyhow;
    use thiserror::Error;

    use super::in_full;

    #[derive(Debug, Error)]
    #[error("cannot read keys.json: {source}")]
    struct Repeats {
        source: io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!(Repeats { source: io::Error::other("no such file") });
        assert_eq!(
            in_full(&error.context("put it back")),
            "put it back: cannot read keys.json: no such file"
        );
    }

    #[test]
    fn a_cause_that_nobody_repeats_is_said() {
        let error = anyhow!("address in use").context("cannot listen");
        assert_eq!(in_full(&error), "cannot listen: address in use");
    }
}
