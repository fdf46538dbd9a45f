//! The options file of one server: the baseline without which high availability loses data.
//!
//! MariaDB's defaults favour speed over safety (`sync_binlog=0`, `AFTER_COMMIT`, `log_slave_updates=OFF`). Every server
//! gets the same file but for its numbers and paths, so that each can become the primary. Every server *starts* read-only
//! and with the primary's side of semi-synchronous replication off: a replica with `log_slave_updates` and that side on
//! would wait for acknowledgements of its own and apply nothing. Who is the primary is decided at run time.

use super::binaries::Binaries;
use super::home::Home;

/// The text of `server-N.cnf`.
pub(super) fn options(home: &Home, binaries: &Binaries, number: u16, port: u16) -> String {
    let mut lines = vec!["[mysqld]".to_owned()];
    if let Some(base) = &binaries.base {
        lines.push(format!("basedir = {}", base.display()));
    }
    lines.extend([
        format!("datadir = {}", home.data(number).display()),
        format!("socket = {}", home.socket(number).display()),
        // A starting server deletes the temporary tables that it finds, also those of another one in a shared folder.
        format!("tmpdir = {}", home.data(number).display()),
        format!("pid-file = {}", home.data(number).join("server.pid").display()),
        format!("log-error = {}", home.error_log(number).display()),
        format!("port = {port}"),
        format!("server-id = {number}"),
        format!("report-host = 127.0.0.1\nreport-port = {port}"),
    ]);
    lines.push(BASELINE.to_owned());
    lines.join("\n")
}

const BASELINE: &str = "\
bind-address = 127.0.0.1
skip-name-resolve = 1
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
max-connections = 1000
performance-schema = 0
innodb-buffer-pool-size = 64M
innodb-log-file-size = 32M

# Nothing acknowledged is lost: every commit is on disk here, and in another server's relay log, before it is visible.
innodb-flush-log-at-trx-commit = 1
sync-binlog = 1
sync-relay-log = 1
rpl-semi-sync-master-wait-point = AFTER_SYNC
rpl-semi-sync-master-timeout = 4294967295
rpl-semi-sync-slave-enabled = 1
rpl-semi-sync-master-enabled = 0

# Every server can take over: it has its own binary log with the primary's transactions in the primary's order.
log-bin = binlog
log-slave-updates = 1
relay-log = relay
binlog-format = ROW
binlog-row-image = FULL
gtid-strict-mode = 1
read-only = 1

# A dead connection between servers is noticed in seconds.
slave-net-timeout = 3
# A replica that starts with both threads throws its relay log away, which may be the only copy of an acknowledged
# commit (MDEV-4698): hadal starts them, one after the other.
skip-slave-start = 1
slave-parallel-threads = 2
slave-parallel-mode = optimistic
";
