//! Functions of the server whose answer, or effect, needs the primary or the session's own connection.

use crate::{Access, Effects, Reason};

/// What calling a function means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Special {
    pub(crate) access: Access,
    pub(crate) reason: Reason,
    pub(crate) effects: Effects,
}

impl Special {
    const fn primary(reason: Reason, effects: Effects) -> Self {
        Self { access: Access::PrimaryRead, reason, effects }
    }
}

/// The function of a lower-cased name, if it is not an ordinary one.
pub(crate) fn special(name: &str) -> Option<Special> {
    use Reason::{OwnConnection, ServerState, SideEffectFunction};
    let found = match name {
        "get_lock" | "release_lock" | "release_all_locks" => {
            Special::primary(SideEffectFunction, Effects::NAMED_LOCK)
        }
        "is_free_lock" => Special::primary(SideEffectFunction, Effects::NONE),
        "is_used_lock" => Special::primary(SideEffectFunction, Effects::USES_LOCK_OWNER),
        "nextval" | "setval" => {
            Special { access: Access::Write, reason: SideEffectFunction, effects: Effects::NONE }
        }
        "lastval" => Special::primary(OwnConnection, Effects::NONE),
        "last_insert_id" => Special::primary(OwnConnection, Effects::USES_LAST_INSERT_ID),
        "found_rows" => Special::primary(OwnConnection, Effects::USES_FOUND_ROWS),
        "row_count" => Special::primary(OwnConnection, Effects::USES_ROW_COUNT),
        "connection_id" => Special::primary(OwnConnection, Effects::USES_CONNECTION_ID),
        "ps_current_thread_id" | "ps_thread_id" => Special::primary(OwnConnection, Effects::NONE),
        "user" | "session_user" | "system_user" | "current_user" | "current_role" => {
            Special::primary(OwnConnection, Effects::NONE)
        }
        "master_pos_wait"
        | "source_pos_wait"
        | "master_gtid_wait"
        | "wait_for_executed_gtid_set"
        | "wait_until_sql_thread_after_gtids"
        | "binlog_gtid_pos"
        | "load_file"
        | "wsrep_last_seen_gtid"
        | "wsrep_last_written_gtid"
        | "wsrep_sync_wait_upto_gtid" => Special::primary(ServerState, Effects::NONE),
        _ => return None,
    };
    Some(found)
}
