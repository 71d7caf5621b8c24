//! `pointbridge config`: what a hub would serve with, and who said so.
//!
//! Absent: a list of the keys; they are those of the configuration's own type, and their flags those of `serve`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use serde_json::{Value, json};

use super::serve::ServeArgs;
use super::sourced::{Effective, Sourced};
use super::{Cli, out};
use crate::config::{CONFIG_FILE, ConfigFile, Mistakes, Setting, keys};
use crate::trust::Trust;

/// Ends the command where the configuration cannot be used, as a wrong flag does.
const EXIT_MISTAKEN: u8 = 2;
/// Columns of a comment in the example.
const COMMENT_WIDTH: usize = 100;

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    serve: Sourced<ServeArgs>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Print a file with every key, what it means and its default.
    #[arg(long)]
    example: bool,
}

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    if args.example {
        out::line(example()?.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let Effective { layers, config } = args.serve.effective()?;
    let mut settings = layers.settings(|key| args.serve.source(key))?;
    settings.insert(
        0,
        Setting {
            key: "data".to_owned(),
            value: args.serve.args.data.data.display().to_string().into(),
            source: args.serve.source("data"),
            meaning: "The hub's data folder: database, keys, certificates, configuration.".to_owned(),
        },
    );
    // Certificate and key of two pairs, say: settings that each are good and cannot hold together.
    let Mistakes(mistakes) = match config {
        Err(mistakes) => mistakes,
        Ok(config) => Mistakes(
            Trust::load(config.tls).err().map(|error| format!("certificates: {error}")).into_iter().collect(),
        ),
    };
    if args.json {
        out::line(json!({"settings": settings, "mistakes": mistakes}));
    } else {
        print(&settings);
    }
    if mistakes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    out::error(&Mistakes(mistakes).into());
    Ok(ExitCode::from(EXIT_MISTAKEN))
}

fn print(settings: &[Setting]) {
    let mut table = out::table(["key", "value", "from"]);
    for setting in settings {
        let value = match &setting.value {
            Value::Null => "(none)".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        table.add_row([setting.key.as_str(), &value, setting.source.as_str()]);
    }
    out::line(table);
}

/// A file that changes nothing: each key as a comment, with its default.
fn example() -> anyhow::Result<String> {
    let command = Cli::command();
    let serve = command.find_subcommand("serve");
    let defaults = serde_json::to_value(ConfigFile::defaults(std::path::Path::new("")))?;
    let mut text = format!(
        "# The configuration of a hub: {CONFIG_FILE} in its data folder. Every line here is a comment, and shows what\n\
         # holds if nobody says anything. The environment wins over the file, a flag over both. Paths are relative to\n\
         # the data folder. `pointbridge config` shows what comes out of it.\n"
    );
    for key in keys() {
        let default = defaults.get(&key.name);
        let argument = serve
            .and_then(|serve| serve.get_arguments().find(|argument| argument.get_id() == key.name.as_str()));
        let mut named = Vec::new();
        named.extend(argument.and_then(clap::Arg::get_long).map(|flag| format!("--{flag}")));
        named.extend(argument.and_then(clap::Arg::get_env).map(|name| name.to_string_lossy().into_owned()));
        let mut meaning = key.meaning;
        if !named.is_empty() {
            meaning = format!("{meaning} ({})", named.join(", "));
        }
        if default.is_none() {
            meaning.push_str(" There is no default.");
        }
        let value: toml::Value = serde_json::from_value(default.cloned().unwrap_or(key.example))?;
        text.push('\n');
        wrap(&meaning, &mut text);
        text.extend(["# ", &key.name, " = ", &value.to_string(), "\n"]);
    }
    Ok(text)
}

fn wrap(sentence: &str, text: &mut String) {
    let mut columns = 0_usize;
    for word in sentence.split_whitespace() {
        let longer = columns.saturating_add(word.len()).saturating_add(1);
        if columns == 0 {
            text.push('#');
            columns = 1;
        } else if longer > COMMENT_WIDTH {
            text.push_str("\n#");
            columns = 1;
        }
        text.push(' ');
        text.push_str(word);
        columns = columns.saturating_add(word.len()).saturating_add(1);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("../../../../deploy/pointbridge.example.toml");

    #[test]
    fn the_committed_example_is_what_the_program_prints() {
        let printed = example().unwrap();
        assert!(
            printed == COMMITTED,
            "write it anew: pointbridge config --example > deploy/pointbridge.example.toml\n{printed}"
        );
    }

    #[test]
    fn the_example_changes_nothing_and_each_line_of_it_is_good_without_its_mark() {
        assert_eq!(toml::from_str::<ConfigFile>(COMMITTED).unwrap(), ConfigFile::default());
        let is_key = |line: &&str| line.contains(" = ");
        let lines: Vec<&str> =
            COMMITTED.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_key).collect();
        let whole: ConfigFile = toml::from_str(&lines.join("\n")).unwrap();
        let defaults = ConfigFile::defaults(std::path::Path::new(""));
        assert_eq!(whole.clone().overridden_by(defaults), whole);
        assert_eq!(lines.len(), keys().len());
    }

    #[test]
    fn every_key_has_its_flag_and_its_variable() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        for key in keys() {
            let argument = serve.get_arguments().find(|argument| argument.get_id() == key.name.as_str());
            let argument = argument.unwrap_or_else(|| panic!("serve has no flag for {}", key.name));
            assert_eq!(argument.get_long().unwrap(), key.name.replace('_', "-"));
            let variable = format!("POINTBRIDGE_{}", key.name.to_uppercase());
            assert_eq!(argument.get_env().unwrap().to_str(), Some(variable.as_str()));
        }
    }
}
