//! Statements about accounts. Their `user@host` looks like a user variable and is none.

use super::Draft;
use crate::{Effects, Reason, Verb};

/// `CREATE USER`, `ALTER USER`, `DROP ROLE` and the like.
pub(super) fn ddl(draft: &mut Draft) {
    draft.verb = Verb::Ddl;
    draft.effects = Effects::DDL | Effects::ACCOUNT_DDL;
    draft.write(Reason::Writes);
}

/// `GRANT` and `REVOKE`. What stands behind ON is not reported as tables that are used.
pub(super) fn grant(draft: &mut Draft) {
    ddl(draft);
}

/// `SET PASSWORD`, `SET DEFAULT ROLE`.
pub(super) fn set(effects: Effects, draft: &mut Draft) {
    draft.effects = draft.effects.without(Effects::READS_USER_VARIABLE) | Effects::ACCOUNT_DDL | effects;
    draft.write(Reason::Writes);
}
