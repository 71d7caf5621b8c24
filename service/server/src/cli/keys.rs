//! `pointbridge keys`: the hub's own secret keys.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{DataArgs, out};
use crate::keys::{KEY_RING_FILE, KeyRing};

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Seal quotes with a new key from the hub's next start on.
    ///
    /// Quotes of the key before stay good until they expire, those of the one before that are worth nothing.
    Rotate {
        #[command(flatten)]
        data: DataArgs,
    },
}

pub(super) fn run(args: &KeysArgs) -> anyhow::Result<ExitCode> {
    let KeysCommand::Rotate { data } = &args.command;
    KeyRing::rotate_quote_key(&data.data)?;
    let file = data.data.join(KEY_RING_FILE);
    out::line(format_args!("{} has a new key for quotes: restart the hub to use it", file.display()));
    Ok(ExitCode::SUCCESS)
}
