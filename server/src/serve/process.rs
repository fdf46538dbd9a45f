//! All services of one hadal, from start to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::gateway::Options;
use admin::{AdminService, Apis, ReloadApi as _};
use anyhow::Context as _;
use config::Config;
use lifecycle::{Shutdown, ShutdownTrigger, TaskKind, Tasks};
use telemetry::{LogFilter, Registry};

use super::clusters::{Observed, observe};
use super::gateway::Face;
use super::readiness::Ready;
use super::reload::Reloader;

/// How long the first clients wait in the kernel's queue instead of hearing that no primary is known yet.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// Observers and API have nothing to finish; this is for what hangs.
const CONTROL_DRAIN: Duration = Duration::from_secs(3);

/// A running hadal.
pub(crate) struct Process {
    /// Set when an essential task has failed.
    failed: Shutdown,
    data: Part,
    control: Part,
    ready: Arc<Ready>,
    reloader: Arc<Reloader>,
    drain: Duration,
}

/// Tasks that stop together.
struct Part {
    stop: ShutdownTrigger,
    tasks: Tasks,
}

impl Process {
    /// Starts everything on the current runtime; the gateway brings its own threads. `path` is read again on reload.
    ///
    /// Must be called on a runtime that is not the gateway's; dropping what it returns stops everything abruptly.
    pub(crate) async fn start(config: Config, path: &Path, log: Option<LogFilter>) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let (alarm, failed) = Shutdown::new();
        let part = || {
            let (stop, stopped) = Shutdown::new();
            (Part { stop, tasks: Tasks::new(alarm.clone(), stopped.clone()) }, stopped)
        };
        let (mut data, data_stopped) = part();
        let (mut control, control_stopped) = part();
        let registry = Registry::default();
        telemetry::register_process(&registry);
        let face = Face::default();
        let clusters = observe(&config, &mut control.tasks, &control_stopped);
        let ready = Arc::new(Ready::new(clusters.clone(), face.clone()));
        let reloader = Arc::new(Reloader::new(path.to_owned(), config.clone(), face.clone(), log));
        if config.admin.enabled {
            let apis = Apis {
                readiness: ready.clone(),
                clusters: clusters.iter().map(|cluster| Arc::new(cluster.clone()) as _).collect(),
                gateway: Arc::new(face.clone()),
                reload: reloader.clone(),
                metrics: registry.clone(),
            };
            let api = AdminService::bind(config.admin.listen, apis).await?;
            control.tasks.spawn(TaskKind::Essential, "the admin API", api.run(control_stopped));
        }
        first_look(&clusters).await;
        let drain = Duration::from_millis(config.gateway.drain_timeout_ms);
        let links = clusters.iter().map(Observed::link).collect();
        let options = Options { config, clusters: links, registry, shutdown: data_stopped };
        start_gateway(options, &face, &mut data.tasks)?;
        Ok(Self { failed, data, control, ready, reloader, drain })
    }

    /// Returns when an essential task has failed; [`Process::stop`] then says which. Cancel-safe.
    pub(crate) async fn failed(&self) {
        self.failed.wait().await;
    }

    /// Reads the configuration again; the log tells what came of it.
    pub(crate) fn reload(&self) {
        // The reloader has logged the outcome, and a signal has nobody else to tell.
        let _ = self.reloader.reload();
    }

    /// No new clients, running statements and transactions finish within the deadline, then everything ends.
    ///
    /// # Errors
    /// The first failure of an essential task, or that something did not end in time.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.ready.stop();
        self.data.stop.shut_down();
        // The gateway keeps its own deadline; the grace is for its last steps.
        let data = self.data.tasks.drain(self.drain + Duration::from_secs(1)).await;
        self.control.stop.shut_down();
        let control = self.control.tasks.drain(CONTROL_DRAIN).await;
        data.and(control).context("did not stop in order")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Waits a moment for every cluster to be known, so that the first client after a start finds a primary.
async fn first_look(clusters: &[Observed]) {
    let all = async {
        for cluster in clusters {
            cluster.ready().await;
        }
    };
    if tokio::time::timeout(FIRST_LOOK, all).await.is_err() {
        tracing::warn!("not every cluster has a primary; clients hear so until it has one");
    }
}

fn start_gateway(options: Options, face: &Face, tasks: &mut Tasks) -> anyhow::Result<()> {
    let handle = ::gateway::start(options)?;
    tracing::info!(addresses = ?handle.listen(), "gateway listens");
    face.set(handle.clone());
    // Its threads end at the shutdown; an earlier end is a failure, as of any essential task.
    tasks.spawn(TaskKind::Essential, "the gateway", async move {
        tokio::task::spawn_blocking(move || handle.join()).await
    });
    Ok(())
}
