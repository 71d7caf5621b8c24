//! The file of the configuration: what is good in it, and every mistake with its line and what to write instead.
//!
//! Each key is read for itself, so that one that is wrong hides no other. Absent: whether values make sense together and
//! whether the files that they name exist; that is asked once all sources are known.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

use super::settings::{Key, fields, keys};
use super::{CONFIG_FILE, ConfigFile};

/// How many letters may be wrong, missing or swapped in a word that is taken for a slip of the pen.
const SLIPS_MAX: usize = 3;

/// A file as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// What is good in it.
    pub good: ConfigFile,
    /// What is wrong with the rest: file, line, key, what it is, what to do.
    pub mistakes: Vec<String>,
    /// The line of each key, from 1.
    lines: BTreeMap<String, usize>,
}

impl Written {
    /// Where a key stands, as people are told of it; none where it does not.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<String> {
        self.lines.get(key).map(|line| place(Path::new(CONFIG_FILE), *line))
    }
}

/// Reads the text of a file.
pub(super) fn parse(path: &Path, text: &str) -> Written {
    let line_at = |byte: usize| text.get(..byte).unwrap_or_default().matches('\n').count().saturating_add(1);
    let (table, broken) = DeTable::parse_recoverable(text);
    let mut written = Written::default();
    for error in &broken {
        let line = line_at(error.span().map_or(0, |span| span.start));
        // Its own words may repeat the line, and with it a secret.
        written.mistakes.push(format!("{}: this is no TOML: {}", place(path, line), error.message()));
    }
    let known = keys();
    for (key, value) in table.into_inner() {
        let (name, line) = (key.get_ref().to_string(), line_at(key.span().start));
        let is_broken = |error: &toml::de::Error| error.span().is_some_and(|at| line_at(at.start) == line);
        if broken.iter().any(is_broken) {
            continue;
        }
        let mut single = DeTable::new();
        single.insert(key, value);
        match ConfigFile::deserialize(toml::Deserializer::from(Spanned::new(0..text.len(), single))) {
            Ok(read) => {
                written.good = std::mem::take(&mut written.good).overridden_by(read);
                written.lines.insert(name, line);
            }
            Err(error) => {
                let said = remedy(&known, &name, error.message());
                written.mistakes.push(format!("{}: {name}: {said}", place(path, line)));
            }
        }
    }
    written
}

fn place(path: &Path, line: usize) -> String {
    format!("{} line {line}", path.display())
}

/// What is wrong with a key that could not be read, and what to do.
fn remedy(known: &[Key], name: &str, said: &str) -> String {
    let Some(key) = known.iter().find(|key| key.name == name) else {
        let slips = |key: &&Key| strsim::osa_distance(&key.name, name);
        let nearest = known.iter().min_by_key(slips).filter(|key| slips(key) <= SLIPS_MAX);
        let guess = nearest.map(|key| format!("; did you mean {}?", key.name));
        return format!(
            "there is no such key{}; `pointbridge config --example` shows all",
            guess.unwrap_or_default()
        );
    };
    // The parser's own words repeat the value.
    let said = if key.is_shown { said } else { "it is not of the right type" };
    match sample(key) {
        Some(value) => format!("{said}; write it like: {name} = {value}"),
        None => said.to_owned(),
    }
}

/// A value as it may stand in the file: the default, else the example.
fn sample(key: &Key) -> Option<String> {
    let defaults = fields(&ConfigFile::defaults(Path::new(""))).ok()?;
    let value = defaults.get(&key.name).unwrap_or(&key.example).clone();
    serde_json::from_value::<toml::Value>(value).ok().map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Written {
        parse(Path::new(CONFIG_FILE), text)
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_is_good_is_kept() {
        let text = "listen = 7\ntrust_domain = \"a.example\"\n\nreflection = \"yes\"\nlisen = \"127.0.0.1:1\"\n\
                    certificates_folder = 1\nenvironment = \"prod\"\nrate_burst = -1\n";
        let written = read(text);
        assert_eq!(written.good.trust_domain.as_deref(), Some("a.example"));
        assert_eq!(written.place("trust_domain").unwrap(), "pointbridge.toml line 2");
        assert_eq!(written.place("listen"), None);
        let expected = [
            (1, "listen", "write it like: listen = \"127.0.0.1:7443\""),
            (4, "reflection", "write it like: reflection = true"),
            (5, "lisen", "there is no such key; did you mean listen?"),
            (6, "certificates_folder", "there is no such key; `pointbridge config --example`"),
            (7, "environment", "`live`"),
            (8, "rate_burst", "write it like: rate_burst = 4000"),
        ];
        assert_eq!(written.mistakes.len(), expected.len(), "{:#?}", written.mistakes);
        for (line, key, remedy) in expected {
            let start = format!("pointbridge.toml line {line}: {key}: ");
            let found = written.mistakes.iter().find(|mistake| mistake.starts_with(&start));
            assert!(found.is_some_and(|mistake| mistake.contains(remedy)), "{key}: {:#?}", written.mistakes);
        }
    }

    #[test]
    fn a_line_that_is_no_toml_hides_no_other_mistake_and_is_not_repeated() {
        let written = read("listen = 7\n\npassword = \"s3cret\nreflection = \"yes\"\nlog = \"debug\"\n");
        let said = written.mistakes.join("\n");
        assert!(said.contains("pointbridge.toml line 3: this is no TOML: "), "{said}");
        assert!(said.contains("line 1: listen: ") && said.contains("line 4: reflection: "), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        assert_eq!(written.good.log.as_deref(), Some("debug"));
        let twice = read("log = \"info\"\nlog = \"debug\"\n").mistakes;
        assert!(twice.iter().any(|mistake| mistake.contains("line 2: ")), "{twice:?}");
    }

    #[test]
    fn a_value_that_may_not_be_shown_is_not_repeated() {
        let key = |is_shown| Key {
            name: "tokens".to_owned(),
            meaning: String::new(),
            example: serde_json::json!([]),
            is_shown,
        };
        let said = "invalid type: string \"s3cret\", expected a sequence";
        assert_eq!(
            remedy(&[key(false)], "tokens", said),
            "it is not of the right type; write it like: tokens = []"
        );
        assert!(remedy(&[key(true)], "tokens", said).contains("s3cret"));
    }
}
