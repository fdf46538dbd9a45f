//! What the names in a statement mean for its route.

use sql::{Facts, FunctionName, TableName};
use topology::{Catalogue, RoutineAccess};

use super::Why;

/// Why a statement whose text is a read must still go to the primary; `None` if nothing speaks against a replica.
pub(crate) fn objection(facts: &Facts, catalogue: &Catalogue, database: Option<&[u8]>) -> Option<Why> {
    if facts.functions.is_empty() && (catalogue.primary_only_views.is_empty() && catalogue.loaded) {
        return None;
    }
    if !catalogue.loaded {
        return Some(Why::CatalogueUnknown);
    }
    if facts.functions.is_empty() && !facts.tables.iter().any(|t| shares_a_name(t, catalogue)) {
        return None;
    }
    let database = database.map(String::from_utf8_lossy);
    let database = database.as_deref();
    let function = facts.functions.iter().find(|f| may_write(f, catalogue, database));
    if let Some(function) = function {
        return Some(Why::Function(function.name.to_string()));
    }
    let view = facts.tables.iter().find(|t| is_primary_only(t, catalogue, database));
    view.map(|v| Why::View(v.name.to_string()))
}

/// A name that the catalogue does not know is a loadable function, or one made a moment ago: it may do anything.
fn may_write(function: &FunctionName, catalogue: &Catalogue, database: Option<&str>) -> bool {
    let schema = function.schema.as_deref().or(database).unwrap_or_default();
    let key = format!("{}.{}", schema.to_lowercase(), function.name.to_lowercase());
    match catalogue.functions.get(&key) {
        Some(access) => *access != RoutineAccess::DeclaredReadOnly,
        // `COUNT (*)`: the server's own, unless somebody has stored one of that name.
        None => function.schema.is_some() || !sql::is_native_unless_stored(&function.name),
    }
}

/// Whether a view of that name, in whatever schema, is for the primary only. No allocation for names in lower case.
pub(crate) fn shares_a_name(table: &TableName, catalogue: &Catalogue) -> bool {
    let names = &catalogue.primary_only_names;
    let lower = table.name.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    if lower { names.contains(&*table.name) } else { names.contains(&table.name.to_lowercase()) }
}

fn is_primary_only(table: &TableName, catalogue: &Catalogue, database: Option<&str>) -> bool {
    let views = &catalogue.primary_only_views;
    if views.is_empty() {
        return false;
    }
    let schema = table.schema.as_deref().or(database).unwrap_or_default();
    views.contains(&format!("{}.{}", schema.to_lowercase(), table.name.to_lowercase()))
}
