//! The reference of all settings, as Markdown, out of the doc comments of the sections.

use crate::Config;
use crate::value::Value as _;

/// A key as the reference shows it.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: String,
    pub(crate) options: &'static [(&'static str, &'static [&'static str])],
    pub(crate) default: String,
    pub(crate) required: bool,
    pub(crate) restart: bool,
    pub(crate) text: &'static [&'static str],
}

/// The sections in the order of the file.
#[derive(Default)]
pub(crate) struct Sections(Vec<String>);

const OPENING: &str = include_str!("reference/opening.md");
const EXAMPLE: &str = include_str!("reference/example.toml");

/// The text of `docs/configuration.md`.
pub fn reference() -> String {
    let mut sections = Sections::default();
    Config::describe("", &mut sections);
    let mut text = OPENING.replace("EXAMPLE\n", EXAMPLE);
    for section in sections.0 {
        text.push('\n');
        text.push_str(&section);
    }
    text
}

impl Sections {
    pub(crate) fn add(&mut self, path: &str, doc: &[&str], keys: Vec<Key>) {
        // The root has no keys of its own, only sections.
        if path.is_empty() {
            return;
        }
        let mut text = format!("## `[{path}]`\n\n{}\n", prose(doc));
        for key in keys {
            text.push_str(&key.markdown());
        }
        self.0.push(text);
    }
}

impl Key {
    fn markdown(&self) -> String {
        let default = match self.default.as_str() {
            _ if self.required => "**required**".to_owned(),
            "" => "no default".to_owned(),
            value => format!("default `{value}`"),
        };
        let applies = if self.restart { "needs a restart" } else { "applies live" };
        let mut text = format!(
            "\n### `{}`\n\n`{}`, {default}, {applies}.\n\n{}\n",
            self.name,
            self.shape,
            prose(self.text)
        );
        if !self.options.is_empty() {
            text.push('\n');
        }
        for (word, doc) in self.options {
            text.push_str(&format!("- `\"{word}\"`: {}\n", prose(doc)));
        }
        text
    }
}

/// The lines of a doc comment as one paragraph.
fn prose(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}
