//! A running observer and what it publishes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{ClusterHandle, ClusterService, ObserveOptions, Secret};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use topology::{ClusterView, Health, Role, ServerId};

use crate::servers::{ADMIN_PASSWORD, Servers};

/// The observer of a test, with its defaults except for a shorter poll.
pub(crate) struct Observer {
    pub(crate) handle: ClusterHandle,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub(crate) const POLL: Duration = Duration::from_millis(200);

/// Generous: a machine that builds at the same time is slow. Tests of promptness have their own limits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Options for all servers.
pub(crate) fn options(servers: &Servers) -> ObserveOptions {
    let addresses = servers.list.iter().map(|s| s.address.clone()).collect();
    let mut options = ObserveOptions::new(addresses, "hadal", Secret::password(ADMIN_PASSWORD));
    options.poll_interval = POLL;
    options
}

impl Observer {
    pub(crate) fn start(options: ObserveOptions) -> Self {
        let (service, handle) = ClusterService::new("main", options);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        Self { handle, stop: Some(stop), task: tokio::spawn(service.run(shutdown)) }
    }

    /// Observes all servers and waits until they are what they were set up as.
    pub(crate) async fn ready(servers: &Servers) -> Self {
        Self::ready_with(options(servers), servers).await
    }

    pub(crate) async fn ready_with(options: ObserveOptions, servers: &Servers) -> Self {
        let observer = Self::start(options);
        let count = servers.list.len();
        observer
            .until("a primary and its replicas", PATIENCE, |view| {
                view.servers.len() == count
                    && view.primary == Some(ServerId(0))
                    && view.servers.iter().skip(1).all(|s| s.role == Role::Replica && s.health.is_healthy())
                    && view.accounts.loaded
                    && view.catalogue.loaded
            })
            .await;
        tokio::time::timeout(PATIENCE, observer.handle.ready()).await.unwrap();
        observer
    }

    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.handle.view().load()
    }

    /// Waits for a view; gives it and how long it took.
    pub(crate) async fn until(
        &self,
        what: &str,
        limit: Duration,
        is: impl Fn(&ClusterView) -> bool,
    ) -> (Arc<ClusterView>, Duration) {
        let began = Instant::now();
        loop {
            let view = self.view();
            if is(&view) {
                return (view, began.elapsed());
            }
            let events = self.handle.events();
            assert!(began.elapsed() < limit, "no view in time with {what}: {view:#?}\n{events:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until a server is healthy, and says how long that took.
    pub(crate) async fn until_health(
        &self,
        server: usize,
        what: &str,
        is: impl Fn(&Health) -> bool,
    ) -> Duration {
        self.until(what, PATIENCE, |view| is(&view.servers[server].health)).await.1
    }

    /// Ends the service and waits until all of it has ended.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

pub(crate) fn is_degraded(health: &Health, why: &str) -> bool {
    matches!(health, Health::Degraded(reason) if reason.contains(why))
}
