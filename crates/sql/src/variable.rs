//! System variables: which of them have the same value on every connection, and which cannot be carried.

use crate::Effects;

/// Whether a session variable has the same value on every server to which the session's state was brought.
pub(crate) fn is_equal_everywhere(name: &str) -> bool {
    matches!(
        name,
        "autocommit"
            | "sql_mode"
            | "time_zone"
            | "tx_isolation"
            | "transaction_isolation"
            | "character_set_client"
            | "character_set_connection"
            | "character_set_results"
            | "collation_connection"
    )
}

/// What reading a variable uses.
pub(crate) fn read_effects(name: &str) -> Effects {
    match name {
        "identity" | "last_insert_id" => Effects::USES_LAST_INSERT_ID,
        "warning_count" | "error_count" => Effects::USES_DIAGNOSTICS,
        "autocommit" => Effects::READS_AUTOCOMMIT,
        _ => Effects::NONE,
    }
}

/// What setting a session variable does. Every name also sets a system variable.
pub(crate) fn set_effects(name: &str) -> Effects {
    let specific = match name {
        "autocommit" => Effects::SETS_AUTOCOMMIT,
        "character_set_client"
        | "character_set_connection"
        | "character_set_results"
        | "character_set_database"
        | "character_set_server"
        | "collation_connection"
        | "collation_database"
        | "collation_server" => Effects::SET_NAMES,
        "identity" | "last_insert_id" => {
            Effects::SETS_UNCARRIED.union(Effects::MAY_SET_INSERT_ID).union(Effects::USES_LAST_INSERT_ID)
        }
        "insert_id" => Effects::SETS_UNCARRIED.union(Effects::MAY_SET_INSERT_ID),
        name if is_uncarried(name) => Effects::SETS_UNCARRIED,
        _ => Effects::NONE,
    };
    Effects::SETS_SYSTEM_VARIABLE.union(specific)
}

/// Variables that belong to one connection, or that change what the server logs.
fn is_uncarried(name: &str) -> bool {
    matches!(
        name,
        "timestamp"
            | "rand_seed1"
            | "rand_seed2"
            | "pseudo_thread_id"
            | "pseudo_slave_mode"
            | "pseudo_replica_mode"
            | "gtid_seq_no"
            | "gtid_domain_id"
            | "gtid_next"
            | "server_id"
            | "sql_log_bin"
            | "sql_log_off"
            | "skip_replication"
            | "skip_parallel_replication"
            | "binlog_format"
            | "debug"
            | "debug_sync"
            | "debug_dbug"
            | "in_transaction"
            | "proxy_user"
            | "external_user"
    ) || name.starts_with("debug")
        || name.starts_with("wsrep_")
}

/// Variables which `SET @@name`, without a scope, sets for the next transaction only.
pub(crate) fn is_of_next_transaction(name: &str) -> bool {
    matches!(name, "tx_isolation" | "transaction_isolation" | "tx_read_only" | "transaction_read_only")
}

/// Variables that only limit or tune one statement, so that `SET STATEMENT x = … FOR` keeps a read a read.
pub(crate) fn is_statement_tuning(name: &str) -> bool {
    matches!(name, "max_statement_time" | "max_execution_time" | "lock_wait_timeout" | "join_cache_level")
        || name.starts_with("optimizer_")
}
