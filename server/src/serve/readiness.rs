//! Whether clients can be served, and if not, why.

use std::sync::atomic::{AtomicBool, Ordering};

use admin::Readiness;

use super::clusters::Observed;
use super::gateway::Face;

pub(super) struct Ready {
    clusters: Vec<Observed>,
    gateway: Face,
    stopping: AtomicBool,
}

impl Ready {
    pub(super) fn new(clusters: Vec<Observed>, gateway: Face) -> Self {
        Self { clusters, gateway, stopping: AtomicBool::new(false) }
    }

    /// From here on no load balancer should send new clients.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

impl Readiness for Ready {
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.stopping.load(Ordering::SeqCst) {
            reasons.push("hadal is stopping".to_owned());
        }
        for cluster in &self.clusters {
            reasons.extend(cluster.lacks().iter().map(|lack| format!("cluster {}: {lack}", cluster.name())));
        }
        if !self.gateway.listens() {
            reasons.push("the gateway does not listen yet".to_owned());
        }
        reasons
    }
}
