//! What others can do with a running gateway.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use config::Config;

use crate::core::Core;
use crate::registry::Signal;
use crate::status::{self, PoolStatus, SessionStatus};

/// Cheap to clone.
#[derive(Clone)]
pub struct GatewayHandle {
    core: Arc<Core>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    listen: Arc<[SocketAddr]>,
}

impl GatewayHandle {
    pub(crate) fn new(core: Arc<Core>, threads: Vec<JoinHandle<()>>, listen: Vec<SocketAddr>) -> Self {
        Self { core, threads: Arc::new(Mutex::new(threads)), listen: listen.into() }
    }

    pub fn listen(&self) -> &[SocketAddr] {
        &self.listen
    }

    pub fn sessions(&self) -> Vec<SessionStatus> {
        status::sessions(&self.core)
    }

    pub fn pools(&self) -> Vec<PoolStatus> {
        status::pools(&self.core)
    }

    /// Ends a session at once; false if there is none of that id.
    pub fn kill(&self, id: u32) -> bool {
        self.core.sessions.get(id).map(|session| session.raise(Signal::Kill)).is_some()
    }

    /// Where a statement of `user` would go now: the decision of a fresh session, as `EXPLAIN ROUTE` prints it.
    pub fn explain(&self, text: &str, user: &str, database: Option<&str>) -> Result<Explained, String> {
        crate::explain::explain(&self.core, text, user, database)
    }

    /// Applies a changed configuration: sessions that log in from now on see it. Limits of pools hold at once; no
    /// connection in use is closed for them.
    pub fn reload(&self, config: Arc<Config>) {
        self.core.config.store(config);
        self.core.spread_limits();
    }

    /// Waits until the workers have drained and ended. Call after the shutdown was announced.
    pub fn join(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

pub use crate::explain::Explained;
