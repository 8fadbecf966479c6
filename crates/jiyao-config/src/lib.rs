//! Settings: defaults, under a file, under the environment, under flags. Services read the environment here and nowhere
//! else.
//!
//! A configuration is a flat struct of texts, numbers and booleans with a `Default`. Its keys are its field names;
//! in the environment they are upper case behind a prefix (`JIYAO_RECORDS_LISTEN`). A key that is not one of them is
//! an error wherever it comes from: a misspelt setting must not be a silent default.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Why the settings cannot be used. Exit code 64 (EX_USAGE).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read settings: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is no TOML.
    #[error("read settings from {path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// There is no such setting.
    #[error("unknown setting {key} in {place}; the settings are: {known}")]
    Unknown {
        /// As written.
        key: String,
        /// Where it is written.
        place: String,
        /// What there is.
        known: String,
    },
    /// The value is not of the setting's kind.
    #[error("setting {key} in {place} cannot be {value:?}: {reason}")]
    Invalid {
        /// Which.
        key: String,
        /// Where it is written.
        place: String,
        /// As written.
        value: String,
        /// Why.
        reason: String,
    },
}

/// Exit code of a program that was called with wrong settings.
pub const EXIT_USAGE: u8 = 64;

/// Where settings come from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// The environment, as pairs.
    pub environment: Vec<(String, String)>,
    /// `key=value`, as flags gave them.
    pub flags: Vec<(String, String)>,
}

/// The process's environment.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Puts a configuration together. `prefix` is that of the environment's keys, e.g. `JIYAO_RECORDS_`.
///
/// # Errors
/// See [`ConfigError`].
pub fn load<C: Default + Serialize + DeserializeOwned>(
    prefix: &str,
    sources: &Sources,
) -> Result<C, ConfigError> {
    let mut table = Table::try_from(C::default())
        .map_err(|e| ConfigError::Malformed { path: PathBuf::from("defaults"), reason: e.to_string() })?;
    if let Some(path) = &sources.file {
        let written: Table = fs_err::read_to_string(path)?.parse().map_err(|e: toml::de::Error| {
            ConfigError::Malformed { path: path.clone(), reason: e.to_string() }
        })?;
        for (key, value) in written {
            put(&mut table, &key, &path.display().to_string(), value)?;
        }
    }
    for (name, text) in &sources.environment {
        if let Some(key) = name.strip_prefix(prefix) {
            put_text(&mut table, &key.to_ascii_lowercase(), &format!("the environment ({name})"), text)?;
        }
    }
    for (key, text) in &sources.flags {
        put_text(&mut table, key, "the flags", text)?;
    }
    table.try_into().map_err(|e: toml::de::Error| ConfigError::Malformed {
        path: sources.file.clone().unwrap_or_else(|| Path::new("settings").to_owned()),
        reason: e.to_string(),
    })
}

/// The configuration as a TOML file that [`load`] reads back.
///
/// # Errors
/// `Malformed` where the configuration is not flat.
pub fn dump<C: Serialize>(config: &C) -> Result<String, ConfigError> {
    toml::to_string(config)
        .map_err(|e| ConfigError::Malformed { path: PathBuf::from("settings"), reason: e.to_string() })
}

fn put(table: &mut Table, key: &str, place: &str, value: Value) -> Result<(), ConfigError> {
    let Some(default) = table.get(key) else {
        return Err(ConfigError::Unknown {
            key: key.to_owned(),
            place: place.to_owned(),
            known: table.keys().cloned().collect::<Vec<_>>().join(", "),
        });
    };
    if !default.same_type(&value) {
        return Err(ConfigError::Invalid {
            key: key.to_owned(),
            place: place.to_owned(),
            value: value.to_string(),
            reason: format!("it must be of the kind {}", default.type_str()),
        });
    }
    table.insert(key.to_owned(), value);
    Ok(())
}

fn put_text(table: &mut Table, key: &str, place: &str, text: &str) -> Result<(), ConfigError> {
    let invalid = |reason: String| ConfigError::Invalid {
        key: key.to_owned(),
        place: place.to_owned(),
        value: text.to_owned(),
        reason,
    };
    let value = match table.get(key) {
        Some(Value::Integer(_)) => {
            text.parse().map(Value::Integer).map_err(|_| invalid("it must be a number".into()))?
        }
        Some(Value::Boolean(_)) => {
            text.parse().map(Value::Boolean).map_err(|_| invalid("it must be true or false".into()))?
        }
        _ => Value::String(text.to_owned()),
    };
    put(table, key, place, value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Example {
        listen: String,
        streams: u32,
        reflection: bool,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { listen: "127.0.0.1:1".to_owned(), streams: 128, reflection: true }
        }
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn with(
        file: &str,
        environment: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Example, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs_err::write(&path, file).unwrap();
        load("T_", &Sources { file: Some(path), environment: pairs(environment), flags: pairs(flags) })
    }

    #[test]
    fn the_stronger_source_wins() {
        let loaded =
            with("streams = 1\nlisten = \"file\"", &[("T_STREAMS", "2"), ("PATH", "x")], &[("streams", "3")]);
        assert_eq!(loaded.unwrap(), Example { listen: "file".to_owned(), streams: 3, reflection: true });
        assert_eq!(with("", &[], &[]).unwrap(), Example::default());
        let dumped = dump(&Example::default()).unwrap();
        assert_eq!(with(&dumped, &[], &[]).unwrap(), Example::default());
    }

    #[test]
    fn a_misspelt_or_misfit_setting_is_named_with_its_place() {
        let text = |result: Result<Example, ConfigError>| result.unwrap_err().to_string();
        assert!(text(with("lissen = 1", &[], &[])).contains("unknown setting lissen"));
        assert!(text(with("", &[("T_STREAM", "1")], &[])).contains("T_STREAM"));
        assert!(text(with("", &[], &[("streams", "many")])).contains("must be a number"));
        assert!(text(with("streams = \"1\"", &[], &[])).contains("integer"));
        assert!(text(with("streams = -1 ", &[], &[])).contains("-1"));
        assert!(text(with("[", &[], &[])).contains("read settings from"));
        let missing = Sources { file: Some("/nowhere/settings.toml".into()), ..Sources::default() };
        assert!(load::<Example>("T_", &missing).unwrap_err().to_string().contains("/nowhere/settings.toml"));
    }
}
