//! What commands print for people and programs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command line is for")]

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};

/// A line on standard output.
pub(super) fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// An error and what caused it, on standard error.
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("pointbridge: {error:#}");
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
