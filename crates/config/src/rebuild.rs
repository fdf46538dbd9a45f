//! `[clusters.NAME.rebuild]`

use crate::Secret;

section! {
    /// How a server whose data do not let it join is made anew from another one's, by `mariadb-backup`. hadal runs commands on
    /// the servers' hosts for that; [Rebuilding a server](failover.md#rebuilding-a-server) has the details. In `shell`,
    /// `data_dir`, `stop` and `start`, `{host}` and `{port}` are the server's.
    pub struct RebuildConfig {
        /// Who decides that a server is rebuilt.
        [restart] policy: RebuildPolicy = RebuildPolicy::default();
        /// The words in front of a script that run it on a server's host, such as `ssh -o BatchMode=yes mysql@{host}`; the
        /// script is added as the last one. Empty: the servers all run on this machine, and it is `sh -c`.
        [restart] shell: String = String::new();
        /// Where a server has its data. Empty: it is asked.
        [restart] data_dir: String = String::new();
        /// Stops a server, and returns when it has ended.
        [restart] stop: String = "systemctl stop mariadb".to_owned();
        /// Starts a server; its own configuration must make it start read-only.
        [restart] start: String = "systemctl start mariadb".to_owned();
        /// The account with which `mariadb-backup` logs in on the donor's own host, through its socket; it needs `RELOAD`,
        /// `PROCESS`, `LOCK TABLES`, `BINLOG MONITOR` and `REPLICA MONITOR`. Empty: `admin_user`.
        [restart] backup_user: String = String::new();
        /// Its password.
        [restart] backup_password: Secret = Secret::default();
        /// The copy never goes faster than this many MiB a second. 0: as fast as it goes.
        [restart] rate_limit_mib: u64 = 0;
        /// Keep the data that were replaced, beside the new ones as `DATA.hadal-old`, until the next rebuild. Otherwise they
        /// are removed as soon as the server replicates and has everything.
        [restart] keep_old: bool = false;
        /// For the whole of one attempt.
        [restart] timeout_s: u64 = 86_400;
    }
}

choice! {
    /// Who decides that a server is rebuilt.
    pub enum RebuildPolicy {
        /// People do, with `hadal rejoin HOST:PORT --rebuild`.
        Manual = "manual",
        /// hadal does, where a server has transactions that the primary never had, or its replication cannot be repaired.
        Automatic = "automatic",
    }
}
