//! What names in SQL text mean on a cluster's servers, as read from the primary's own tables.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::FxHashSet;

/// How a system variable's value is written in `SET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableKind {
    /// Unquoted.
    Number,
    /// Quoted: text, enumerations, sets, booleans.
    Text,
}

/// What the data dictionary says of a stored function (`information_schema.ROUTINES.SQL_DATA_ACCESS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutineAccess {
    /// `NO SQL` or `READS SQL DATA`.
    DeclaredReadOnly,
    /// `CONTAINS SQL` (the default, which promises nothing) or `MODIFIES SQL DATA`.
    MayWrite,
}

/// Triggers that may leave something on the connection of whoever fires them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LeavingTriggers {
    /// There are none.
    #[default]
    None,
    /// They are fired by writing to tables of these names, in whatever schema.
    On(HashSet<String>),
    /// hadal may not see the triggers: any write may fire one.
    Unknown,
}

/// Names of one cluster. Lower-case keys.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// False before the primary was read: everything is then treated as unknown.
    pub loaded: bool,
    /// `schema.name` of every stored function.
    pub functions: HashMap<String, RoutineAccess>,
    /// There are triggers, or functions beside those of `sys`: a statement may change the session before it fails.
    pub has_stored_code: bool,
    /// Names, without schema, of functions that may leave something on the connection: user variables, named locks.
    pub session_functions: HashSet<String>,
    /// Triggers that set variables, or take named locks.
    pub leaving_triggers: LeavingTriggers,
    /// A function, trigger or view mentions `LAST_INSERT_ID()` or one of its variables.
    pub code_reads_insert_id: bool,
    /// `schema.name` of views that cannot be read on a replica, since their text may write or is not understood.
    pub primary_only_views: HashSet<String>,
    /// The names of those views without their schemas: most statements are cleared by a look here.
    pub primary_only_names: FxHashSet<String>,
    /// Type of every system variable.
    pub variables: HashMap<String, VariableKind>,
    /// Collation id to (collation name, character set name).
    pub collations: HashMap<u16, (Arc<str>, Arc<str>)>,
    /// Default collation name of each character set.
    pub default_collations: HashMap<Arc<str>, Arc<str>>,
    /// Global values at the time of reading, of the variables that the gateway itself honours
    /// (`wait_timeout`, `max_allowed_packet`, `sql_mode`, `autocommit`, `session_track_*`, …).
    pub globals: HashMap<String, String>,
}

impl Catalogue {
    /// Takes the views that cannot be read on a replica, as `schema.name` in lower case.
    pub fn set_primary_only_views(&mut self, views: HashSet<String>) {
        self.primary_only_names.clear();
        // Schemas and views may have dots in their names, so that the view's own may begin behind any of them.
        for view in &views {
            let ends = view.match_indices('.').filter_map(|(dot, _)| view.get(dot + 1..));
            self.primary_only_names.extend(ends.map(str::to_owned));
        }
        self.primary_only_views = views;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_with_a_dot_in_its_name_is_found_by_that_name() {
        let mut catalogue = Catalogue::default();
        catalogue
            .set_primary_only_views(HashSet::from(["shop.of.today".to_owned(), "my.shop.priced".to_owned()]));
        for name in ["of.today", "priced"] {
            assert!(catalogue.primary_only_names.contains(name), "{name}");
        }
        catalogue.set_primary_only_views(HashSet::new());
        assert!(catalogue.primary_only_names.is_empty());
    }
}
