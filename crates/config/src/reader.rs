//! Reads values out of the parsed text and collects every problem with its place, instead of stopping at the first.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;
use crate::nearest::nearest;
use crate::origins::Origins;
use crate::value::Value;

/// A value and the key under which it stands.
pub(crate) struct At<'a> {
    /// Dotted, from the root of the file; empty for the root.
    pub(crate) key: &'a str,
    pub(crate) value: &'a Spanned<DeValue<'a>>,
}

/// See the module.
pub(crate) struct Reader<'a> {
    /// Folder that relative paths of secrets start from.
    pub(crate) folder: Option<&'a Path>,
    pub(crate) origins: Origins<'a>,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, folder: Option<&'a Path>) -> Self {
        Self { folder, origins: Origins::new(text), problems: Vec::new() }
    }

    /// Remembers where a key stands, for what is validated later.
    pub(crate) fn came_from(&mut self, key: &str, span: Range<usize>) {
        self.origins.add(key, span.start);
    }

    /// A problem with this value.
    pub(crate) fn refuse(&mut self, at: &At<'_>, message: impl Into<String>) {
        let line = self.origins.line_at(at.value.span().start);
        self.problems.push(Problem { line: Some(line), key: at.key.to_owned(), message: message.into() });
    }

    /// The value has the wrong type. Returns what a reader of values returns then.
    pub(crate) fn refuse_shape<T>(&mut self, at: &At<'_>, wanted: &str) -> Option<T> {
        let found = match at.value.get_ref() {
            DeValue::Table(_) => "a table",
            DeValue::Array(_) => "a list",
            DeValue::String(_) => "text",
            DeValue::Boolean(_) => "true or false",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Datetime(_) => "a date",
        };
        self.refuse(at, format!("is {found}, but must be: {wanted}"));
        None
    }

    /// The word is none of those that are possible here.
    pub(crate) fn refuse_word(&mut self, at: &At<'_>, word: &str, words: &[&str]) {
        let meant = nearest(word, words).map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
        self.refuse(at, format!("{word:?} is not one of {}{meant}", words.join(", ")));
    }

    pub(crate) fn text<'v>(&mut self, at: &At<'v>, wanted: &str) -> Option<&'v str> {
        match at.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => self.refuse_shape(at, wanted),
        }
    }

    pub(crate) fn table<'v>(&mut self, at: &At<'v>) -> Option<&'v DeTable<'v>> {
        match at.value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => self.refuse_shape(at, "table"),
        }
    }

    /// Tells of every key that does not exist, with the one that was probably meant.
    pub(crate) fn refuse_unknown(&mut self, at: &At<'_>, table: &DeTable<'_>, known: &[&str]) {
        for name in table.keys().filter(|name| !known.contains(&name.get_ref().as_ref())) {
            let message = match nearest(name.get_ref(), known) {
                Some(near) => format!("unknown key, did you mean `{near}`?"),
                None => format!("unknown key, the keys here are {}", known.join(", ")),
            };
            let line = self.origins.line_at(name.span().start);
            self.problems.push(Problem { line: Some(line), key: join(at.key, name.get_ref()), message });
        }
    }

    /// The value of a key, if it is given and right.
    pub(crate) fn field<T: Value>(
        &mut self,
        at: &At<'_>,
        table: &DeTable<'_>,
        name: &str,
        required: bool,
    ) -> Option<T> {
        let key = join(at.key, name);
        match table.get_key_value(name) {
            Some((written, value)) => {
                self.came_from(&key, written.span());
                T::read(&At { key: &key, value }, self)
            }
            None => {
                if required {
                    self.refuse(&At { key: &key, value: at.value }, format!("is missing: {}", T::shape()));
                }
                None
            }
        }
    }
}

/// `a.b`, quoted where TOML wants it.
pub(crate) fn join(path: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let quoted = !name.is_empty() && name.chars().all(bare);
    let name = if quoted { name.to_owned() } else { toml::Value::from(name).to_string() };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
