//! The keys of the configuration as a list: what each means, what it holds, and who said so.
//!
//! Read from the type itself, its comments included, so that a new field is a new row and nobody keeps a second list.
//! What is shown is decided by the field's type: numbers, words from a list and truth values always; a text only where
//! its field names a `format`. Anything else is masked.

use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value};

use super::ConfigFile;

/// What stands for a text that nobody may read.
const MASKED: &str = "*****";

/// Where a value comes from. The later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Nobody says anything, and there is no default.
    Nobody,
    /// What holds where nobody says anything.
    Default,
    /// The file in the data folder.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl Source {
    /// The source's one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// What it means: the comment of its field.
    pub meaning: String,
    /// A value as an example, where the field gives one; else an empty one of its type.
    pub example: Value,
    /// Whether its value may be shown.
    pub(super) is_shown: bool,
}

/// A key with the value that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// Its value, masked where it is a secret; null where there is none.
    pub value: Value,
    /// Who said so.
    pub source: Source,
    /// What the key means.
    pub meaning: String,
}

/// What each source says.
#[derive(Debug, Clone)]
pub struct Layers {
    /// What holds where nobody says anything.
    pub defaults: ConfigFile,
    /// The file.
    pub file: ConfigFile,
    /// Environment and command line together, as they were parsed.
    pub flags: ConfigFile,
}

impl Layers {
    /// Each key with its value, in the order of their names; `given` tells environment and command line apart.
    ///
    /// # Errors
    /// A layer cannot be written as JSON.
    pub fn settings(&self, given: impl Fn(&str) -> Source) -> anyhow::Result<Vec<Setting>> {
        settings_of(&keys(), [fields(&self.defaults)?, fields(&self.file)?, fields(&self.flags)?], given)
    }

    /// Whether environment or command line say something of a key, else whether the file does.
    ///
    /// # Errors
    /// A layer cannot be written as JSON.
    pub fn source(&self, key: &str, given: impl Fn(&str) -> Source) -> anyhow::Result<Source> {
        Ok(if fields(&self.flags)?.contains_key(key) {
            given(key)
        } else if fields(&self.file)?.contains_key(key) {
            Source::File
        } else if fields(&self.defaults)?.contains_key(key) {
            Source::Default
        } else {
            Source::Nobody
        })
    }
}

/// Every key, in the order of their names.
#[must_use]
pub fn keys() -> Vec<Key> {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    keys_of(&generator.into_generator().into_root_schema_for::<ConfigFile>().to_value())
}

fn keys_of(schema: &Value) -> Vec<Key> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut keys: Vec<Key> =
        properties.into_iter().flatten().map(|(name, field)| key_of(name, field)).collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}

fn key_of(name: &str, field: &Value) -> Key {
    let text = |part: &str| field.get(part).and_then(Value::as_str).unwrap_or_default();
    let example = field.get("examples").and_then(|all| all.get(0)).cloned();
    Key {
        name: name.to_owned(),
        meaning: text("description").replace('\n', " "),
        example: example.unwrap_or_else(|| empty_of(field)),
        is_shown: is_shown(field),
    }
}

/// The types of a field; an optional one names null beside its own.
fn types(field: &Value) -> Vec<&str> {
    match field.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect()
        }
        _ => Vec::new(),
    }
}

fn is_shown(field: &Value) -> bool {
    let is_listed = |schema: &Value| schema.get("enum").is_some() || schema.get("const").is_some();
    if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|name| field.get(name)?.as_array()) {
        let is_null = |choice: &Value| types(choice).is_empty() || types(choice) == ["null"];
        return choices.iter().all(|choice| is_null(choice) && !is_listed(choice) || is_shown(choice));
    }
    let has_format = field.get("format").is_some_and(Value::is_string);
    match types(field).as_slice() {
        ["boolean" | "integer" | "number"] => true,
        ["string" | "array"] => has_format || is_listed(field),
        _ => is_listed(field),
    }
}

fn empty_of(field: &Value) -> Value {
    match types(field).as_slice() {
        ["boolean"] => false.into(),
        ["integer" | "number"] => 0.into(),
        ["array"] => Value::Array(Vec::new()),
        _ => Value::String(String::new()),
    }
}

/// What a layer says, by its keys.
pub(super) fn fields(layer: &ConfigFile) -> anyhow::Result<Map<String, Value>> {
    match serde_json::to_value(layer)? {
        Value::Object(fields) => Ok(fields),
        other => anyhow::bail!("a configuration that is no table: {other}"),
    }
}

fn settings_of(
    keys: &[Key],
    [defaults, file, flags]: [Map<String, Value>; 3],
    given: impl Fn(&str) -> Source,
) -> anyhow::Result<Vec<Setting>> {
    let setting = |key: &Key| {
        let layers = [(&flags, given(&key.name)), (&file, Source::File), (&defaults, Source::Default)];
        let found = layers.into_iter().find_map(|(layer, source)| Some((layer.get(&key.name)?, source)));
        let (value, source) = match found {
            None => (Value::Null, Source::Nobody),
            Some((value, source)) if key.is_shown => (value.clone(), source),
            Some((_, source)) => (Value::String(MASKED.to_owned()), source),
        };
        Setting { key: key.name.clone(), value, source, meaning: key.meaning.clone() }
    };
    let unknown = [&defaults, &file, &flags].into_iter().flat_map(Map::keys);
    for name in unknown {
        anyhow::ensure!(keys.iter().any(|key| key.name == *name), "the key {name} has no description");
    }
    Ok(keys.iter().map(setting).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schemars::{JsonSchema, schema_for};

    use super::*;

    fn layers(file: &str, flags: ConfigFile) -> Layers {
        let file = toml::from_str(file).unwrap();
        Layers { defaults: ConfigFile::defaults(Path::new("nowhere")), file, flags }
    }

    fn row(settings: &[Setting], key: &str) -> (String, Source) {
        let setting = settings.iter().find(|setting| setting.key == key).unwrap();
        (setting.value.to_string(), setting.source)
    }

    #[test]
    fn the_later_source_wins_and_is_named() {
        let flags = ConfigFile {
            listen: "127.0.0.1:2".parse().ok(),
            log: Some("debug".to_owned()),
            ..ConfigFile::default()
        };
        let layers = layers("listen = \"127.0.0.1:1\"\nreflection = false", flags);
        let given = |key: &str| if key == "log" { Source::Environment } else { Source::Flag };
        let settings = layers.settings(given).unwrap();
        assert_eq!(row(&settings, "listen"), ("\"127.0.0.1:2\"".to_owned(), Source::Flag));
        assert_eq!(row(&settings, "log"), ("\"debug\"".to_owned(), Source::Environment));
        assert_eq!(row(&settings, "reflection"), ("false".to_owned(), Source::File));
        assert_eq!(row(&settings, "certificate"), ("\"pki/server.pem\"".to_owned(), Source::Default));
        assert_eq!(row(&settings, "trust_domain"), ("null".to_owned(), Source::Nobody));
    }

    #[test]
    fn every_key_is_explained_and_none_that_exists_today_is_masked() {
        let keys = keys();
        assert!(keys.iter().any(|key| key.name == "client_ca"), "{keys:?}");
        for key in keys {
            assert!(key.meaning.len() > 10, "{} has no comment", key.name);
            assert!(key.is_shown, "{} names no format: is it a secret? then say so here", key.name);
        }
    }

    /// Keys without a default, and nobody says so by accident.
    const WITHOUT_DEFAULT: [&str; 3] = ["trust_domain", "metrics_listen", "otlp_endpoint"];

    #[test]
    fn every_key_tells_its_default() {
        let defaults = fields(&ConfigFile::defaults(Path::new("nowhere"))).unwrap();
        for key in keys() {
            let has_none = WITHOUT_DEFAULT.contains(&key.name.as_str());
            assert_eq!(defaults.contains_key(&key.name), !has_none, "{} in ConfigFile::defaults", key.name);
        }
    }

    /// What a configuration with secrets would look like.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its shape is looked at")]
    struct Secrets {
        /// The password stands in it.
        database_url: Option<String>,
        /// Several of them.
        tokens: Option<Vec<String>>,
        /// Where it lies.
        #[schemars(extend("format" = "path"))]
        pepper_file: Option<std::path::PathBuf>,
        /// How many.
        readers: Option<u32>,
    }

    #[test]
    fn a_text_whose_field_names_no_format_is_masked_and_an_unknown_key_stops_everything() {
        let keys = keys_of(schema_for!(Secrets).as_value());
        let layer = serde_json::json!({
            "database_url": "postgres://hub:s3cret@db/hub", "tokens": ["s3cret"], "pepper_file": "pepper",
            "readers": 4,
        });
        let Value::Object(layer) = layer else { unreachable!() };
        let shown = settings_of(&keys, [Map::new(), layer.clone(), Map::new()], |_| Source::Flag).unwrap();
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(row(&shown, "database_url").0, format!("\"{MASKED}\""));
        assert_eq!(
            (row(&shown, "pepper_file").0.as_str(), row(&shown, "readers").0.as_str()),
            ("\"pepper\"", "4")
        );
        assert!(settings_of(&[], [Map::new(), layer, Map::new()], |_| Source::Flag).is_err());
    }
}
