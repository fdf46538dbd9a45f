//! `[clusters.NAME.pool]`

section! {
    /// Connections to the servers of a cluster. Each limit holds per server and user, over all workers together.
    pub struct PoolConfig {
        /// Never more connections than this. Whoever needs one more waits for one to come back. After a reload that lowers it
        /// nothing in use is closed: connections beyond it are as they come back.
        [] max_connections: u32 = 100;
        /// Idle connections that are kept open.
        [] min_idle: u32 = 0;
        /// An idle connection above `min_idle` is closed after this time.
        [] idle_timeout_ms: u64 = 60_000;
        /// A connection older than this is closed when it comes back.
        [] max_lifetime_ms: u64 = 1_800_000;
        /// Whoever waits longer than this for a connection gets error 1040 with the cause.
        [] wait_timeout_ms: u64 = 10_000;
        /// Making a connection, login included, may take this long.
        [] connect_timeout_ms: u64 = 3_000;
        /// Prepared statements that one connection keeps; the one used longest ago makes room. A reload changes it for new
        /// connections.
        [] prepared_statements: u32 = 256;
    }
}
