//! Statements about the session: its schema, locks, cursors on tables, diagnostics, and other sessions' ends.

use super::{Draft, Words};
use crate::keyword::Keyword as K;
use crate::{Effects, Reason, Verb};

pub(super) fn use_schema(draft: &mut Draft) {
    draft.verb = Verb::Use;
    draft.effect(Effects::USE_SCHEMA);
    draft.primary(Reason::SessionChange);
}

/// `LOCK TABLES`, `LOCK INSTANCE FOR BACKUP`, and their ends.
pub(super) fn lock_tables(words: Words<'_>, draft: &mut Draft) {
    if words.is(0, K::Lock) {
        draft.verb = Verb::LockTables;
        draft.effect(Effects::LOCK_TABLES);
        return draft.write(Reason::Locks);
    }
    draft.verb = Verb::UnlockTables;
    draft.effect(Effects::UNLOCK_TABLES);
    draft.primary(Reason::Locks);
}

/// `HANDLER t OPEN | READ … | CLOSE`.
pub(super) fn handler(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Handler;
    let opens = (1..words.len()).any(|at| words.is(at, K::Open));
    draft.effect(if opens { Effects::HANDLER_OPEN } else { Effects::HANDLER });
    draft.primary(Reason::OwnConnection);
    // READ and CLOSE name the handler, which may be an alias.
    if let Some((name, _)) = super::table::qualified(words, 1).filter(|_| opens) {
        draft.tables.push(name);
    }
}

pub(super) fn kill(draft: &mut Draft) {
    draft.verb = Verb::Kill;
    draft.effect(Effects::KILL);
    draft.primary(Reason::ServerState);
}

/// `GET DIAGNOSTICS @a = …`, `SIGNAL`, `RESIGNAL`.
pub(super) fn diagnostics(words: Words<'_>, draft: &mut Draft) {
    draft.verb = Verb::Diagnostics;
    // SIGNAL only leaves some.
    if !words.is(0, K::Signal) {
        draft.effect(Effects::USES_DIAGNOSTICS);
    }
    if draft.effects.contains(Effects::READS_USER_VARIABLE) {
        draft.effect(Effects::SETS_USER_VARIABLE);
    }
    draft.primary(Reason::Diagnostics);
}
