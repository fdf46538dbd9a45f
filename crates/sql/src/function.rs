//! Functions: the server's own, and those of them that need more than a replica.

mod builtin;
mod special;

pub(crate) use special::{Special, special};

use builtin::{NATIVE, RESERVED, SYNTAX, TIGHT};

/// Whether an unquoted, lower-cased name before a parenthesis may be a stored function.
pub(crate) fn is_callable_name(name: &str) -> bool {
    !contains(NATIVE, name) && !contains(SYNTAX, name)
}

/// Whether a lower-cased name is the server's own function only without a space behind it.
pub(crate) fn is_tight(name: &str) -> bool {
    contains(TIGHT, name)
}

/// Whether a lower-cased name that [`Facts::functions`](crate::Facts::functions) reports without a schema is the
/// server's own wherever no stored function has that name: `COUNT (x)` with its space, `POINT(1, 2)`. A caller whose
/// catalogue is loaded and has no such routine can ignore the call.
pub fn is_native_unless_stored(name: &str) -> bool {
    is_tight(name) || name == "point"
}

/// Whether a quoted, lower-cased name before a parenthesis is the server's own function; the names of the grammar
/// then are not.
pub(crate) fn is_native_when_quoted(name: &str) -> bool {
    contains(NATIVE, name)
}

/// Whether a word cannot be an identifier without quotes.
pub(crate) fn is_reserved(word: &[u8]) -> bool {
    str::from_utf8(word).is_ok_and(|word| contains(RESERVED, word))
}

/// Looks an upper-case word up in any case.
fn contains(table: &[&str], name: &str) -> bool {
    table.binary_search_by(|word| word.bytes().cmp(name.bytes().map(|b| b.to_ascii_uppercase()))).is_ok()
}
