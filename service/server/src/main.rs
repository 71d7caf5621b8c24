//! The `pointbridge` command.

use std::process::ExitCode;

use clap::Parser;
use pointbridge::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
