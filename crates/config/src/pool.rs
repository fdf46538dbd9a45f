//! `[clusters.NAME.pool]`

section! {
    /// Connections to the servers of a cluster. Each limit holds per server and user, over all workers together.
    pub struct PoolConfig {
        /// Never more connections than this. Whoever needs one more waits for one to come back.
        [restart] max_connections: u32 = 100;
        /// Idle connections that are kept open.
        [restart] min_idle: u32 = 0;
        /// An idle connection above `min_idle` is closed after this time.
        [restart] idle_timeout_ms: u64 = 60_000;
        /// A connection older than this is closed when it comes back.
        [restart] max_lifetime_ms: u64 = 1_800_000;
        /// Whoever waits longer than this for a connection gets error 1040 with the cause.
        [restart] wait_timeout_ms: u64 = 10_000;
        /// Making a connection, login included, may take this long.
        [restart] connect_timeout_ms: u64 = 3_000;
        /// Prepared statements that one connection keeps; the one used longest ago makes room.
        [restart] prepared_statements: u32 = 256;
    }
}
