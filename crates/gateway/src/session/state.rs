//! What a session has set, and what follows from that for reading its texts.

use std::sync::Arc;

use super::Session;
use crate::state::StateSet;

impl Session {
    /// Takes over what has been set; the lexer's mode and the session's cluster follow from it.
    pub(super) fn set_state(&mut self, state: StateSet) {
        self.base = self.base_of(state.database.as_deref());
        let view = self.worker.core.cluster(self.base).view();
        let default_mode = view.catalogue.globals.get("sql_mode").map(String::as_str).unwrap_or_default();
        let changes = &self.worker.core.global_changes;
        let newer = changes.newest(self.base, "sql_mode", default_mode);
        self.mode = state.lexer_mode(newer.as_deref().unwrap_or(default_mode));
        drop(view);
        if state.database != self.state.database {
            let name: Arc<str> =
                String::from_utf8_lossy(state.database.as_deref().unwrap_or_default()).into();
            self.shared.set_labels(|labels| labels.database = name);
        }
        self.state = self.worker.core.interner.intern(state);
    }
}
