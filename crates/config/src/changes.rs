//! What differs between two configurations, and whether a running process can take it over.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Config;
use crate::value::Value as _;

/// When a changed key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// With the reload, without dropping a connection.
    Live,
    /// With the next start of the process.
    Restart,
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Dotted.
    pub key: String,
    /// As written in a file; `None` where the key did not exist. A secret shows nothing of itself.
    pub old: Option<String>,
    /// As `old`.
    pub new: Option<String>,
    pub applies: Applies,
}

/// The keys that differ, in alphabetical order.
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let (old, new) = (Entries::of(old), Entries::of(new));
    let keys: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    keys.into_iter().filter_map(|key| change(key, old.0.get(key), new.0.get(key))).collect()
}

fn change(key: &str, old: Option<&Entry>, new: Option<&Entry>) -> Option<Change> {
    if old.map(|entry| &entry.identity) == new.map(|entry| &entry.identity) {
        return None;
    }
    let applies = new.or(old)?.applies;
    let shown = |entry: &Entry| entry.text.clone();
    Some(Change { key: key.to_owned(), old: old.map(shown), new: new.map(shown), applies })
}

/// A key with its value.
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) identity: String,
    pub(crate) applies: Applies,
}

/// All keys of a configuration.
#[derive(Default)]
pub(crate) struct Entries(BTreeMap<String, Entry>);

impl Entries {
    fn of(config: &Config) -> Self {
        let mut entries = Self::default();
        config.entries("", Applies::Restart, &mut entries);
        entries
    }

    pub(crate) fn add(&mut self, key: &str, entry: Entry) {
        self.0.insert(key.to_owned(), entry);
    }
}
