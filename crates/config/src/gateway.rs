//! `[gateway]`

use std::net::{Ipv4Addr, SocketAddr};

section! {
    /// The SQL gateway: what applications connect to.
    pub struct GatewayConfig {
        /// Where it listens.
        [restart] listen: Vec<SocketAddr> = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 6033))];
        /// Threads that serve clients; 0 is one per core.
        [restart] workers: usize = 0;
        /// How it talks to the kernel about connections.
        [restart] io: GatewayIo = GatewayIo::default();
        /// Clients at once, those that are logging in included. One more gets error 1040.
        [] max_connections: u32 = 20_000;
        /// A client that has not logged in after this time is disconnected.
        [] login_timeout_ms: u64 = 10_000;
        /// Largest command that a client may send. Results of servers may be of any size: they are never held as a whole.
        [] max_packet_bytes: u64 = 64 * 1024 * 1024;
        /// Statements whose analysis each worker remembers.
        [restart] digest_cache: usize = 4096;
        /// The cluster of users for whom `[users.*]` names none. Without it: the only cluster, or else the only one to which
        /// no rule of `clusters.*.tables` points; where that leaves several, such users cannot log in.
        [] default_cluster: Option<String> = None;
        /// The server version that clients are told. Without it, the primary's own.
        [] version: Option<String> = None;
        /// How long a statement for the primary waits while there is none, or another one is on its way.
        [] hold_ms: u64 = 15_000;
        /// Statements that may wait so in each cluster. One more gets an error at once.
        [] hold_statements: u32 = 20_000;
        /// Bytes of statements that may wait so in each cluster.
        [] hold_bytes: u64 = 256 * 1024 * 1024;
        /// Statements of one transaction that are kept for its replay (`clusters.*.transaction_replay`); one with more is
        /// not replayed.
        [] replay_statements: u32 = 1000;
        /// Bytes of the statements of one transaction that are kept so.
        [] replay_bytes: u64 = 1024 * 1024;
        /// How often one replay is tried, where it is interrupted by another failover or by locks of others.
        [] replay_attempts: u32 = 5;
        /// How long one replay may run, beside the time that it waits for a primary.
        [] replay_ms: u64 = 10_000;
        /// When the process is told to stop, running statements and transactions may take this long to end.
        [restart] drain_timeout_ms: u64 = 10_000;
    }
}

choice! {
    /// How workers wait for connections, and read and write them.
    pub enum GatewayIo {
        /// `io_uring` where the kernel has and allows all that is needed, else `epoll`; the log and `SHOW HADAL STATUS` tell
        /// which, and why.
        Auto = "auto",
        /// One system call for each read and write.
        Epoll = "epoll",
        /// One system call for all that a worker has to do at a time: Linux 6.1 or newer, and not forbidden, as it is in
        /// many containers. Where it cannot be had, hadal does not start.
        IoUring = "io_uring",
    }
}
