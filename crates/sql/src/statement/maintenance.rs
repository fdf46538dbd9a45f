//! Commands to the server: FLUSH, BACKUP, LOAD, replication, plugins.

use super::{Draft, Words, verb};
use crate::keyword::Keyword as K;
use crate::{Effects, Verb};

/// Whether a statement that begins with it is a command to the server without further effects on the session.
pub(super) fn is_admin(keyword: K) -> bool {
    matches!(
        keyword,
        K::Optimize
            | K::Repair
            | K::Check
            | K::Checksum
            | K::Cache
            | K::Change
            | K::Reset
            | K::Stop
            | K::Purge
            | K::Install
            | K::Uninstall
            | K::Binlog
            | K::Import
            | K::Restart
            | K::Clone
    )
}

/// `START REPLICA`, `START ALL SLAVES`, `START GROUP_REPLICATION`.
pub(super) fn start(draft: &mut Draft) {
    verb::admin(draft);
}

/// `LOAD DATA`, `LOAD XML`, `LOAD INDEX INTO CACHE`.
pub(super) fn load(words: Words<'_>, draft: &mut Draft) {
    if words.is(1, K::Index) {
        return verb::admin(draft);
    }
    verb::writes(Verb::Load, draft);
    draft.effect(Effects::MAY_SET_INSERT_ID);
    if (2..words.len()).any(|at| words.are(at, &[K::Local, K::Infile])) {
        draft.effect(Effects::LOAD_LOCAL);
    }
    // `(a, @b) SET c = @b` sets the variable.
    if draft.effects.contains(Effects::READS_USER_VARIABLE) {
        draft.effect(Effects::SETS_USER_VARIABLE);
    }
}

/// `FLUSH …`: some of them lock.
pub(super) fn flush(words: Words<'_>, draft: &mut Draft) {
    verb::admin(draft);
    for at in 1..words.len() {
        if words.are(at, &[K::With, K::Read, K::Lock]) || words.are(at, &[K::For, K::Export]) {
            draft.effect(Effects::LOCK_TABLES);
        }
        if words.is(at, K::Privileges) {
            draft.effect(Effects::ACCOUNT_DDL);
        }
    }
}

/// `BACKUP STAGE …`, `BACKUP LOCK t`, `BACKUP UNLOCK`.
pub(super) fn backup(words: Words<'_>, draft: &mut Draft) {
    verb::admin(draft);
    let ends = words.is(1, K::Unlock) || words.is(2, K::End);
    draft.effect(if ends { Effects::UNLOCK_TABLES } else { Effects::LOCK_TABLES });
}

pub(super) fn shutdown(draft: &mut Draft) {
    verb::admin(draft);
    draft.effect(Effects::CLOSES_CONNECTION);
}
