//! The command line. `--help` on each command is enough to use it.

mod backup;
mod bench;
mod bootstrap;
mod check;
mod config;
mod doctor;
mod health;
mod keys;
mod migrate;
mod out;
mod pki;
mod restore;
mod serve;
mod sourced;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends the process when an invariant is broken: nothing may go on then.
const EXIT_BROKEN: u8 = 70;

/// The points-interchange hub of a merchant alliance: recognize each other's members, exchange points, settle.
#[derive(Debug, Parser)]
#[command(name = "pointbridge", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the hub at work: an alliance of three partners, from their first agreement to the books.
    ///
    /// Starts a real hub in a folder of its own on a free port of this machine, connects the partners to it over mutual
    /// TLS, and prints what the hub answered. Ends with an exit code other than 0 if anything came out differently than
    /// the scenario says.
    Demo(DemoArgs),
    /// Run the hub.
    ///
    /// Settings come from <DATA>/pointbridge.toml, then from the environment, then from flags. Prints one line with its
    /// address when it is ready; logs go to standard error. SIGTERM ends it in order.
    Serve(sourced::Sourced<serve::ServeArgs>),
    /// Make everything that a new hub needs: data folder, keys, database, development CA, and the first operator.
    ///
    /// What is there already is kept, so that it is also the way back when the only operator's certificate is lost.
    Bootstrap(bootstrap::BootstrapArgs),
    /// Keep a development CA: make it, and issue certificates for the hub, for partners and for people.
    Pki(pki::PkiArgs),
    /// Keep the hub's own secret keys.
    Keys(keys::KeysArgs),
    /// Show the configuration that a hub would serve with: each key, its value and where it comes from.
    ///
    /// Takes the flags of `serve`. Secrets are masked. Exit code 2 where something is wrong, with every mistake at once.
    Config(config::ConfigArgs),
    /// Ask the hub on this machine whether it serves; exit code 0 if it does. For probes of containers.
    Health(health::HealthArgs),
    /// Prove that no point and no money appeared from nothing: recompute the books from the records.
    ///
    /// Reads one snapshot of the database, of a running hub too, and shares no code with what wrote it. Exit code 1 where
    /// something does not add up; each finding names its row.
    Check(check::CheckArgs),
    /// Measure the hub on this machine: rates, times, costs, and what bounds them.
    Bench(bench::BenchArgs),
    /// Bring the database's schema up to date. `serve` does the same at its start.
    Migrate(migrate::MigrateArgs),
    /// Copy the database, of a hub that serves too, and prove that the copy is whole.
    ///
    /// The copy is of one moment and has no keys in it. A manifest beside it says what is in it.
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the database of a hub that does not serve.
    ///
    /// Proves the backup first, begins a new epoch, so that quotes of before are worth nothing, and shuts out again who was
    /// shut out after the backup. What was there stays beside it. Says what is lost, and asks for --accept first.
    Restore(restore::RestoreArgs),
    /// Look a hub over: certificates, clock, disk, rights, keys, database, address.
    ///
    /// Takes the flags of `serve`. Each finding says what to do. Exit code 1 where something must be mended; with --strict
    /// also where something should be looked at.
    Doctor(doctor::DoctorArgs),
}

/// SIGXFSZ, which a write beyond the process's limit of file sizes raises, and which ends a process that does not take it.
const FILE_TOO_LARGE: i32 = 25;

/// Takes the signal for as long as the answer lives, so that such a write fails like one on a full disk.
fn take_limit_of_file_sizes() -> std::io::Result<Signal> {
    signal(SignalKind::from_raw(FILE_TOO_LARGE))
}

/// The folder that holds everything of a hub.
#[derive(Debug, Clone, Args)]
struct DataArgs {
    /// The hub's data folder: database, keys, certificates, configuration.
    #[arg(long, env = "POINTBRIDGE_DATA", default_value = "pointbridge-data", value_name = "FOLDER")]
    data: PathBuf,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Keep everything in this folder instead of a temporary one. It must be empty or not exist.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Leave the hub running, and print calls to try with grpcurl.
    #[arg(long)]
    keep: bool,
}

impl Cli {
    /// Runs the command.
    pub async fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Demo(DemoArgs { data, json, keep }) => {
                crate::demo::run(crate::demo::Options { data, json, keep }).await
            }
            Command::Serve(args) => serve::run(args).await,
            Command::Bootstrap(args) => bootstrap::run(&args).await,
            Command::Pki(args) => pki::run(&args),
            Command::Keys(args) => keys::run(&args),
            Command::Config(args) => config::run(&args),
            Command::Health(args) => health::run(&args).await,
            Command::Check(args) => check::run(&args).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Migrate(args) => migrate::run(&args).await,
            Command::Backup(args) => backup::run(&args).await,
            Command::Restore(args) => restore::run(&args).await,
            Command::Doctor(args) => doctor::run(&args).await,
        };
        result.unwrap_or_else(|error| {
            out::error(&error);
            ExitCode::FAILURE
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_part_of_it_is_explained() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        walk(&command);
    }
}
