//! `[admin]`

use std::net::{Ipv4Addr, SocketAddr};

section! {
    /// The admin API, health checks and metrics, over HTTP without authentication: bind it only to addresses that are
    /// trusted.
    pub struct AdminConfig {
        /// Where it listens.
        [restart] listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 6080));
        /// Whether there is one.
        [restart] enabled: bool = true;
    }
}
