//! From text to a configuration that has been checked.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Config;
use crate::error::{ConfigError, Notice, Problem};
use crate::reader::{At, Reader};
use crate::validate::validate;
use crate::value::Value as _;

/// A configuration, and what its author should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub notices: Vec<Notice>,
}

/// Reads and checks a file; secrets are resolved, relative to the file's folder.
///
/// # Errors
/// The file cannot be read, or everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    read(&text, &path.to_string_lossy(), path.parent())
}

/// Checks a text; `name` stands for it in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, name: &str) -> Result<Loaded, ConfigError> {
    read(text, name, None)
}

fn read(text: &str, name: &str, folder: Option<&Path>) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::new(text, folder);
    let (table, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let line = error.span().map(|span| reader.origins.line_at(span.start));
        reader.problems.push(Problem {
            line,
            key: String::new(),
            message: error.message().trim().to_owned(),
        });
    }
    if !syntax.is_empty() {
        // What a broken text seems to say would only be misleading.
        return Err(invalid(name, reader.problems));
    }
    let span = table.span();
    let root = Spanned::new(span, DeValue::Table(table.into_inner()));
    let config = Config::read(&At { key: "", value: &root }, &mut reader).unwrap_or_default();
    let notices = validate(&config, &mut reader);
    if reader.problems.is_empty() {
        Ok(Loaded { config, notices })
    } else {
        Err(invalid(name, reader.problems))
    }
}

fn invalid(name: &str, mut problems: Vec<Problem>) -> ConfigError {
    problems.sort_by(|a, b| (a.line, &a.key).cmp(&(b.line, &b.key)));
    problems.dedup();
    ConfigError::Invalid { name: name.to_owned(), problems }
}
