//! A value of the file: how it is read, shown, compared and described.

use crate::Applies;
use crate::changes::{Entries, Entry};
use crate::reader::{At, Reader};
use crate::reference::Sections;

mod containers;
mod scalars;

/// See the module.
pub(crate) trait Value: Sized {
    /// Whether it is a table with keys of its own, or a table of such tables.
    const SECTION: bool = false;

    /// The words it may be, each with its documentation; empty where it is not a choice.
    const OPTIONS: &'static [(&'static str, &'static [&'static str])] = &[];

    /// Reads the value; `None` after telling the reader what is wrong.
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self>;

    /// What it looks like, for messages and the reference.
    fn shape() -> String;

    /// As it would be written in the file; a secret shows nothing of itself.
    fn show(&self) -> String;

    /// What tells two values apart. Never shown.
    fn identity(&self) -> String {
        self.show()
    }

    /// Adds itself, or the keys below it, to the list that two configurations are compared by.
    fn entries(&self, key: &str, applies: Applies, out: &mut Entries) {
        out.add(key, Entry { text: self.show(), identity: self.identity(), applies });
    }

    /// Adds the sections at and below `path` to the reference.
    fn describe(_path: &str, _out: &mut Sections) {}
}
