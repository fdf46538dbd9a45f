//! The HTTP server's task.

use std::net::SocketAddr;

use lifecycle::Shutdown;
use tokio::net::TcpListener;

use crate::apis::Apis;
use crate::error::AdminError;
use crate::metrics;
use crate::router::router;

mod limit;

use limit::Limited;

/// Connections at once; one more waits in the kernel's queue. The API is for operators and scrapers, not for crowds.
const MAX_CONNECTIONS: usize = 256;

/// A bound listener and what it will show.
pub struct AdminService {
    listener: TcpListener,
    address: SocketAddr,
    apis: Apis,
}

impl AdminService {
    /// Binds the address, so that a taken port is known before anything else starts. Port 0 is any free one.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: SocketAddr, apis: Apis) -> Result<Self, AdminError> {
        metrics::register(&apis.metrics, apis.clusters.clone());
        let failed = |source| AdminError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, apis })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the shutdown, then lets requests under way finish.
    ///
    /// # Errors
    /// The listening socket broke.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), AdminError> {
        tracing::info!(address = %self.address, "admin API listens");
        axum::serve(Limited::new(self.listener, MAX_CONNECTIONS), router(self.apis))
            .with_graceful_shutdown(async move { shutdown.wait().await })
            .await
            .map_err(AdminError::Serve)
    }
}
