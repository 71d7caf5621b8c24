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
    let _ = writeln!(std::io::stderr(), "pointbridge: {error:#}");
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
