//! The configuration as `serve` and `config` are given it: file, environment and command line, and every mistake of all three
//! in one answer.
//!
//! Values of environment and command line are parsed here and not by the command line's parser, which stops at the first one that
//! is wrong. Absent: variables of ours that no key has; others may put such ones there, as Kubernetes does for a service of this name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};

use super::Cli;
use super::serve::ServeArgs;
use crate::config::{Config, ConfigFile, Layers, Mistakes, Source};

/// What an argument or its variable says, as its type or as what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said<T>(pub(super) Result<T, String>);

impl<T: FromStr<Err: Display>> FromStr for Said<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse().map_err(|error: T::Err| format!("{text:?} cannot be used: {error}"))))
    }
}

/// Arguments, and where each of them comes from.
#[derive(Debug)]
pub(super) struct Sourced<A> {
    pub(super) args: A,
    sources: BTreeMap<String, Source>,
}

impl<A: Args> Args for Sourced<A> {
    fn augment_args(command: clap::Command) -> clap::Command {
        A::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        A::augment_args_for_update(command)
    }
}

impl<A: FromArgMatches> FromArgMatches for Sourced<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let source = |name: &str| match matches.value_source(name) {
            Some(ValueSource::CommandLine) => Source::Flag,
            Some(ValueSource::EnvVariable) => Source::Environment,
            _ => Source::Default,
        };
        let sources = matches.ids().map(|id| (id.to_string(), source(id.as_str()))).collect();
        Ok(Self { args: A::from_arg_matches(matches)?, sources })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What comes out of all sources.
#[derive(Debug)]
pub(super) struct Effective {
    /// What each of them says, as far as it can be used.
    pub(super) layers: Layers,
    /// What holds, or everything that is wrong.
    pub(super) config: Result<Config, Mistakes>,
}

impl Sourced<ServeArgs> {
    /// Who said an argument.
    pub(super) fn source(&self, key: &str) -> Source {
        self.sources.get(key).copied().unwrap_or(Source::Flag)
    }

    /// Reads the file, lays environment and command line over it, and looks at what comes out.
    ///
    /// # Errors
    /// Where the file is there and cannot be read. What is wrong with the configuration is in the answer.
    pub(super) fn effective(&self) -> anyhow::Result<Effective> {
        let data = self.args.data.data.clone();
        let written = ConfigFile::written(&data)?;
        let (flags, said_wrong) = self.args.settings()?;
        let said_wrong = Mistakes(said_wrong).placed(|key| named(key, self.source(key))).0.into_iter();
        let layers = Layers { defaults: ConfigFile::defaults(&data), file: written.good.clone(), flags };
        let place = |key: &str| match layers.source(key, |key| self.source(key)).ok()? {
            Source::File => written.place(key),
            other => named(key, other),
        };
        let whole = layers.file.clone().overridden_by(layers.flags.clone()).resolve(&data);
        let mut mistakes: Vec<String> = written.mistakes.iter().cloned().chain(said_wrong).collect();
        let config = match whole {
            Ok(config) => Some(config),
            Err(error) => {
                let found =
                    error.downcast::<Mistakes>().unwrap_or_else(|other| Mistakes(vec![format!("{other:#}")]));
                mistakes.extend(found.placed(place).0);
                None
            }
        };
        let config = config.filter(|_| mistakes.is_empty()).ok_or(Mistakes(mistakes));
        Ok(Effective { layers, config })
    }
}

/// The flag or the variable that a key's value comes from.
fn named(key: &str, source: Source) -> Option<String> {
    let command = Cli::command();
    let serve = command.find_subcommand("serve")?;
    let argument = serve.get_arguments().find(|argument| argument.get_id() == key)?;
    match source {
        Source::Flag => argument.get_long().map(|flag| format!("--{flag}")),
        Source::Environment => argument.get_env().map(|name| name.to_string_lossy().into_owned()),
        Source::File | Source::Default | Source::Nobody => None,
    }
}
