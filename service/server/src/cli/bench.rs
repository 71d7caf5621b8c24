//! `pointbridge bench`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::out;
use crate::bench::{self, HubSetting, Length, Options};

/// How long a round is where nobody says so.
const SECONDS_DEFAULT: usize = 5;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measure exchanges: prepare and commit as two calls, over mutual TLS, from a process of their own.
    ///
    /// Beside them, in the same rounds, the same calls at a server that only answers; then the store without a transport. At
    /// the end the store's own count is compared with the driver's, and the database is checked. Exit code 1 where these
    /// do not agree; figures never fail. tests/bench/README.md says how to read it.
    Exchange(ExchangeArgs),
    /// Call servers as told on standard input.
    #[command(hide = true)]
    Driver {
        /// The file of members.
        #[arg(long, value_name = "FILE")]
        members: PathBuf,
    },
    /// Answer calls and do nothing.
    #[command(hide = true)]
    Echo {
        /// The data folder whose certificates are used.
        #[arg(long, value_name = "FOLDER")]
        data: PathBuf,
        /// The file of answers.
        #[arg(long, value_name = "FILE")]
        answers: PathBuf,
    },
}

#[derive(Debug, Args)]
struct ExchangeArgs {
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Connections to each server, half of them as each of two partners: 1 to 64.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = from_one_to::<64>)]
    connections: usize,
    /// Exchanges under way on each connection: 1 to 100.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = from_one_to::<100>)]
    in_flight: usize,
    /// How long a round lasts, about: 1 to 30. 5 if nothing else says so.
    #[arg(long, value_name = "N", value_parser = from_one_to::<30>, conflicts_with = "exchanges")]
    seconds: Option<usize>,
    /// How many exchanges a round has, instead of how long it lasts.
    #[arg(long, value_name = "N", value_parser = from_one_to::<400_000>)]
    exchanges: Option<usize>,
    /// How many rounds; rates are the median of them.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = from_one_to::<100>)]
    rounds: usize,
    /// How many members, each with points at both partners.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = from_one_to::<1_000_000>)]
    members: usize,
    /// How many exchanges come first and are not measured.
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = from_one_to::<100_000>)]
    warmup: usize,
    /// The folder to run in, new or empty: on the disk that is to be measured. A temporary one if nothing else says so.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Keep the folder with its databases and logs.
    #[arg(long)]
    keep_data: bool,
    /// A setting of the hub, as in its configuration; may be given several times.
    #[arg(long = "hub-setting", value_name = "KEY=VALUE", value_parser = setting)]
    hub_settings: Vec<HubSetting>,
    /// A setting of a second hub that takes turns with the first, to be compared with it; may be given several times.
    #[arg(long = "compare-setting", value_name = "KEY=VALUE", value_parser = setting)]
    compare_settings: Vec<HubSetting>,
}

fn from_one_to<const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("not a number from 1 to {MOST}"))
}

fn setting(text: &str) -> Result<HubSetting, String> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = parts.ok_or("write it as key=value, as in pointbridge.toml")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Exchange(args) => bench::run(options(args)).await,
        What::Driver { members } => bench::drive(&members).await.map(|()| ExitCode::SUCCESS),
        What::Echo { data, answers } => {
            let listening = |address: &str| out::line(format_args!("listening on {address}"));
            bench::echo(&data, &answers, listening).await.map(|()| ExitCode::SUCCESS)
        }
    }
}

fn options(args: ExchangeArgs) -> Options {
    let seconds = Length::Seconds(args.seconds.unwrap_or(SECONDS_DEFAULT));
    Options {
        connections: args.connections,
        in_flight: args.in_flight,
        length: args.exchanges.map_or(seconds, Length::Exchanges),
        rounds: args.rounds,
        members: args.members,
        warmup: args.warmup,
        data: args.data,
        keep_data: args.keep_data,
        hub_settings: args.hub_settings,
        compare_settings: args.compare_settings,
        json: args.json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_key_and_a_value_which_may_hold_more_signs() {
        assert_eq!(setting("log=warn"), Ok(("log".to_owned(), "warn".to_owned())));
        assert_eq!(setting("log=a=debug"), Ok(("log".to_owned(), "a=debug".to_owned())));
        assert!(setting("log").is_err() && setting("=warn").is_err());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(from_one_to::<64>("64"), Ok(64));
        assert!(
            from_one_to::<64>("0").is_err()
                && from_one_to::<64>("65").is_err()
                && from_one_to::<64>("x").is_err()
        );
    }
}
