//! One session's settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Charset;

/// A variable's value as the server's tracker reported it.
pub(crate) type VariableValue = Arc<[u8]>;

/// Database, character sets and every session variable that was set. Variables that were never set are not here:
/// they have the server's defaults on every connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StateSet {
    pub(crate) database: Option<Arc<[u8]>>,
    pub(crate) charset: Charset,
    pub(crate) variables: BTreeMap<Arc<str>, VariableValue>,
}

impl StateSet {
    /// The state of a connection that hadal has just opened.
    pub(crate) fn of_new_connection() -> Self {
        Self { database: None, charset: Charset::of_new_connection(), variables: BTreeMap::new() }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&[u8]> {
        self.variables.get(name).map(|v| &**v)
    }

    /// Takes over what a tracker reported. Character sets are given their fields.
    pub(crate) fn set_variable(&mut self, name: &str, value: &[u8]) {
        let text = || Arc::<str>::from(String::from_utf8_lossy(value));
        match name {
            "character_set_client" => self.charset.client = text(),
            "character_set_results" => {
                self.charset.results = (!value.is_empty()).then(text);
                self.charset.results_collation = None;
            }
            "collation_connection" => self.charset.collation = text(),
            // Reported beside `collation_connection`, or without it: see `Session::absorb`.
            "character_set_connection" => {}
            _ => {
                self.variables.insert(name.into(), value.into());
            }
        }
    }

    /// `@@autocommit` where the session has set it.
    pub(crate) fn autocommit(&self) -> Option<bool> {
        self.variable("autocommit").map(|v| v.eq_ignore_ascii_case(b"ON") || v == b"1")
    }

    /// How the session's `sql_mode`, or else the servers' default, makes text read.
    pub(crate) fn lexer_mode(&self, default_sql_mode: &str) -> sql::Mode {
        let own = self.variable("sql_mode").map(String::from_utf8_lossy);
        let mode = own.as_deref().unwrap_or(default_sql_mode);
        let has = |name: &str| mode.split(',').any(|m| m.eq_ignore_ascii_case(name));
        sql::Mode {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            multibyte_unsafe: self.charset.is_ambiguous(),
        }
    }
}
