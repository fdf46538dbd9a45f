//! Lists, tables of the same kind of thing, and what may be left out.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::Value;
use crate::Applies;
use crate::changes::{Entries, Entry};
use crate::reader::{At, Reader, join};
use crate::reference::Sections;

impl<T: Value> Value for Option<T> {
    const SECTION: bool = T::SECTION;
    const OPTIONS: &'static [(&'static str, &'static [&'static str])] = T::OPTIONS;

    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(at, reader).map(Some)
    }

    fn shape() -> String {
        T::shape()
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, T::show)
    }

    fn identity(&self) -> String {
        self.as_ref().map_or_else(String::new, T::identity)
    }

    fn entries(&self, key: &str, applies: Applies, out: &mut Entries) {
        if let Some(value) = self {
            value.entries(key, applies, out);
        }
    }

    fn describe(path: &str, out: &mut Sections) {
        T::describe(path, out);
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(list) = at.value.get_ref() else {
            return reader.refuse_shape(at, &Self::shape());
        };
        // Every element is read, so that all problems are told at once.
        let values: Vec<Option<T>> =
            list.iter().map(|value| T::read(&At { key: at.key, value }, reader)).collect();
        values.into_iter().collect()
    }

    fn shape() -> String {
        format!("[{}, …]", T::shape())
    }

    fn show(&self) -> String {
        let values: Vec<String> = self.iter().map(T::show).collect();
        format!("[{}]", values.join(", "))
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    const SECTION: bool = T::SECTION;

    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(at)?;
        let mut values = Self::new();
        for (name, value) in table {
            let key = join(at.key, name.get_ref());
            reader.came_from(&key, name.span());
            if let Some(read) = T::read(&At { key: &key, value }, reader) {
                values.insert(name.get_ref().to_string(), read);
            }
        }
        Some(values)
    }

    fn shape() -> String {
        format!("table of {}", T::shape())
    }

    fn show(&self) -> String {
        let values: Vec<String> =
            self.iter().map(|(name, value)| format!("{} = {}", join("", name), value.show())).collect();
        if values.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", values.join(", ")) }
    }

    fn entries(&self, key: &str, applies: Applies, out: &mut Entries) {
        for (name, value) in self {
            let key = join(key, name);
            if T::SECTION {
                // The section as such, so that one that comes or goes is a change of its own.
                out.add(&key, Entry { text: "…".to_owned(), identity: String::new(), applies });
            }
            value.entries(&key, applies, out);
        }
    }

    fn describe(path: &str, out: &mut Sections) {
        T::describe(&join(path, "NAME"), out);
    }
}
