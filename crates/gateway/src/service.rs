//! Starting and stopping the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use lifecycle::Shutdown;
use telemetry::Registry;
use thiserror::Error;

use crate::core::{ClusterLink, Core};
use crate::handle::GatewayHandle;
use crate::hold;
use crate::io_choice::IoChoice;
use crate::place::ClusterIndex;
use crate::worker::Worker;
use crate::{listener, metrics_page, ring};

/// What the gateway is started with.
pub struct Options {
    pub config: Arc<Config>,
    /// The clusters, the first one being that of users who name none.
    pub clusters: Vec<ClusterLink>,
    pub registry: Registry,
    pub shutdown: Shutdown,
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("no cluster is configured")]
    NoCluster,
    #[error("cannot listen on {address} (gateway.listen): {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("io_uring cannot be had (gateway.io; \"auto\" does without): {0}")]
    IoUring(std::io::Error),
    #[error("cannot start a worker thread: {0}")]
    Thread(std::io::Error),
}

/// Opens the listening sockets and starts one thread per worker.
pub fn start(options: Options) -> Result<GatewayHandle, StartError> {
    if options.clusters.is_empty() {
        return Err(StartError::NoCluster);
    }
    let config = &options.config;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = if config.gateway.workers == 0 { cores } else { config.gateway.workers };
    let listen = config.gateway.listen.clone();
    let mut sockets = Vec::new();
    for address in &listen {
        let failed = |source| StartError::Listen { address: *address, source };
        listener::probe(*address).map_err(failed)?;
    }
    for _ in 0..workers {
        let own: Result<Vec<_>, _> = listen
            .iter()
            .map(|address| {
                listener::bind(*address).map_err(|source| StartError::Listen { address: *address, source })
            })
            .collect();
        sockets.push(own?);
    }
    let io = IoChoice::of(config.gateway.io).map_err(StartError::IoUring)?;
    tracing::info!(workers, %io, "the gateway starts");
    let core = Arc::new(Core::new(options.config.clone(), options.clusters, workers, io));
    metrics_page::register(&core, &options.registry);
    let mut threads = Vec::new();
    for (index, sockets) in sockets.into_iter().enumerate() {
        let core = core.clone();
        let shutdown = options.shutdown.clone();
        let thread = std::thread::Builder::new()
            .name(format!("gateway-{index}"))
            .spawn(move || run_worker(index as u16, core, sockets, shutdown))
            .map_err(StartError::Thread)?;
        threads.push(thread);
    }
    Ok(GatewayHandle::new(core, threads, listen))
}

/// A worker's whole life.
fn run_worker(index: u16, core: Arc<Core>, sockets: Vec<std::net::TcpListener>, shutdown: Shutdown) {
    let options = tokio::runtime::LocalOptions::default();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if core.io == IoChoice::IoUring {
        builder.on_thread_park(ring::before_park);
    }
    let runtime = match builder.build_local(options) {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start a worker's runtime");
            return;
        }
    };
    runtime.block_on(async move {
        // The wish is not asked again: what this worker cannot have, its runtime does.
        let _bell = match core.io {
            IoChoice::IoUring => ring::install()
                .inspect_err(
                    |error| tracing::warn!(%error, worker = index, "cannot have a ring; using epoll"),
                )
                .ok(),
            IoChoice::Epoll { .. } => None,
        };
        let worker = Worker::new(index, core);
        for socket in sockets {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(listener) => {
                    tokio::task::spawn_local(listener::accept(worker.clone(), listener, shutdown.clone()));
                }
                Err(error) => tracing::error!(%error, "cannot listen"),
            }
        }
        for cluster in 0..worker.core.clusters.len() {
            let cluster = ClusterIndex(u16::try_from(cluster).unwrap_or(u16::MAX));
            tokio::task::spawn_local(hold::follow(worker.clone(), cluster, shutdown.clone()));
        }
        tokio::task::spawn_local(worker.clone().tick(shutdown.clone()));
        shutdown.wait().await;
        drain(&worker).await;
    });
}

/// Lets what is under way finish, within the deadline.
async fn drain(worker: &Worker) {
    let allowed = Duration::from_millis(worker.core.config.load().gateway.drain_timeout_ms);
    let deadline = tokio::time::Instant::now() + allowed;
    while !worker.sessions.borrow().is_empty() && tokio::time::Instant::now() < deadline {
        worker.drain_sessions();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = worker.sessions.borrow().len();
    if left > 0 {
        tracing::warn!(left, worker = worker.index, "stopping with sessions in a transaction");
    }
}
