//! Connections of another cluster that are not in the session's database, because there is none of that name.
//!
//! The session's database is entered wherever a statement goes. Where a cluster does not have it, statements that name
//! all their tables in full run in whatever database the connection is in; every other one is refused.

use std::sync::Arc;

use mysql_wire::ServerError;
use sql::Facts;

use super::{Session, error};
use crate::backend::Backend;
use crate::place::ClusterIndex;
use crate::state::StateSet;

/// `ER_BAD_DB_ERROR`, `ER_DBACCESS_DENIED_ERROR`: the database cannot be entered.
pub(super) fn is_about_the_database(refused: &ServerError) -> bool {
    matches!(refused.code, 1049 | 1044)
}

/// Whether the meaning of a statement depends on the database that it is run in.
pub(super) fn needs_database(facts: &Facts) -> bool {
    let text = || facts.digest_text.to_ascii_lowercase();
    facts.tables.iter().any(|table| table.schema.is_none())
        || facts.functions.iter().any(|function| function.schema.is_none())
        || facts.schemas.iter().any(Option::is_none)
        || facts.digest_text.len() >= Facts::DIGEST_TEXT_LIMIT
        || ["database(", "database (", "schema(", "schema ("].iter().any(|word| text().contains(word))
}

impl Session {
    /// Whether the statement is to run there outside of the session's database.
    pub(super) fn is_to_be_displaced(&self, cluster: ClusterIndex, facts: &Facts) -> bool {
        let Some(database) = &self.state.database else { return false };
        self.ruled
            && cluster != self.base
            && self.identity.pools.lacks(cluster, database)
            && !needs_database(facts)
    }

    /// Whether a connection in the session's state is not in its database.
    pub(super) fn is_displaced(&self, backend: &Backend) -> bool {
        self.ruled
            && backend.place.cluster != self.base
            && backend.state.database != self.state.database
            && self.state.database.is_some()
    }

    /// The session's state as it is on a connection: with the connection's database if that is another one.
    pub(super) fn state_on(&self, backend: &Backend, displaced: bool) -> Arc<StateSet> {
        if !displaced {
            return self.state.clone();
        }
        let state = StateSet { database: backend.state.database.clone(), ..(*self.state).clone() };
        self.worker.core.interner.intern(state)
    }

    /// The server does not let the session into its database. Tells whether the statement can do without.
    pub(super) fn note_lack(&self, cluster: ClusterIndex, facts: &Facts) -> bool {
        if let Some(database) = &self.state.database {
            self.identity.pools.note_lack(cluster, database);
        }
        !needs_database(facts)
    }

    pub(super) fn lacks_database(&self, cluster: ClusterIndex, refused: Option<&ServerError>) -> ServerError {
        let database =
            String::from_utf8_lossy(self.state.database.as_deref().unwrap_or_default()).into_owned();
        let cluster = self.cluster_name(cluster);
        let said = refused.map(|refused| format!(" ({})", refused.message)).unwrap_or_default();
        let text = format!(
            "hadal: the statement goes to cluster {cluster}, where the session's database {database} cannot be entered{said}; \
             name its tables in full, as in schema.table, or create the database there"
        );
        error(1049, "42000", text)
    }
}
