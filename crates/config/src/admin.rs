//! `[admin]`

use std::net::{Ipv4Addr, SocketAddr};

section! {
    /// The admin API, health checks and metrics, over HTTP without authentication: bind it only to addresses that are
    /// trusted.
    pub struct AdminConfig {
        /// Where it listens.
        [restart] listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 6080));
        /// Where other nodes of hadal reach it, as `HOST:PORT`: orders that are given to a node that does not lead are passed
        /// on. Without it, `listen`, if that is an address and not all of them.
        [restart] advertise: Option<topology::Address> = None;
        /// Whether there is one.
        [restart] enabled: bool = true;
    }
}

impl AdminConfig {
    /// Where others reach it, if they do.
    pub fn reached_at(&self) -> Option<String> {
        let listen = (!self.listen.ip().is_unspecified()).then(|| self.listen.to_string());
        let at = self.advertise.as_ref().map(ToString::to_string).or(listen);
        at.filter(|_| self.enabled)
    }
}
