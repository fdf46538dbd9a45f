//! A view's text, as the router would understand it.

use super::views::Reading;

/// What the text of a view in `schema` reads; `None` where it is not a plain read.
pub(super) fn read(_definition: &str, _schema: &str) -> Option<Reading> {
    None
}
