//! Passwords: where they come from, and that they go nowhere by accident.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::reader::{At, Reader};
use crate::value::Value;

/// A password. Neither `Debug` nor `Display` shows it, and it has no serialisation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the one place that proves it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Value for Secret {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match at.value.get_ref() {
            DeValue::String(text) => Some(Self::new(text.as_ref())),
            DeValue::Table(table) => from_elsewhere(at, table, reader),
            _ => reader.refuse_shape(at, &Self::shape()),
        }
    }

    fn shape() -> String {
        "\"TEXT\" | { env = \"NAME\" } | { file = \"PATH\" }".to_owned()
    }

    fn show(&self) -> String {
        "(secret)".to_owned()
    }

    fn identity(&self) -> String {
        self.0.clone()
    }
}

fn from_elsewhere(at: &At<'_>, table: &DeTable<'_>, reader: &mut Reader<'_>) -> Option<Secret> {
    reader.refuse_unknown(at, table, &["env", "file"]);
    if table.len() != 1 {
        reader.refuse(at, format!("must have exactly one of `env` and `file`: {}", Secret::shape()));
        return None;
    }
    if table.contains_key("env") {
        let name: String = reader.field(at, table, "env", false)?;
        from_environment(at, &name, reader)
    } else {
        let path: PathBuf = reader.field(at, table, "file", false)?;
        from_file(at, &path, reader)
    }
}

fn from_environment(at: &At<'_>, name: &str, reader: &mut Reader<'_>) -> Option<Secret> {
    // The name may hold what makes `var` panic nowhere, but what no variable can be called.
    let value = if name.is_empty() || name.contains(['=', '\0']) { None } else { std::env::var_os(name) };
    match value.map(std::ffi::OsString::into_string) {
        Some(Ok(text)) => Some(Secret(text)),
        Some(Err(_)) => {
            reader.refuse(at, format!("the environment variable {name} is not UTF-8"));
            None
        }
        None => {
            reader.refuse(at, format!("the environment variable {name} is not set"));
            None
        }
    }
}

/// The file's text without one line break at its end, which editors and `echo` add.
fn from_file(at: &At<'_>, path: &Path, reader: &mut Reader<'_>) -> Option<Secret> {
    let path = reader.folder.map_or_else(|| path.to_owned(), |folder| folder.join(path));
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Some(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
        }
        Err(error) => {
            reader.refuse(at, format!("cannot read {}: {error}", path.display()));
            None
        }
    }
}
