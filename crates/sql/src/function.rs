//! Functions: the server's own, and those of them that need more than a replica.

mod builtin;
mod special;

pub(crate) use special::{Special, special};

use builtin::{NATIVE, RESERVED, SYNTAX};

/// Whether an unquoted, lower-cased name before a parenthesis may be a stored function.
pub(crate) fn is_callable_name(name: &str) -> bool {
    !contains(NATIVE, name) && !contains(SYNTAX, name)
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

fn contains(table: &[&str], name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    table.binary_search(&&*upper).is_ok()
}
