//! Reading one's own writes.
//!
//! Every OK of a write tells its GTID (`last_gtid`). A read must not go to a replica that has not got so far. What
//! replicas have is known from the control plane, twice a second, and from the waits of all sessions; where it is not
//! known, the replica is asked to wait, briefly, and otherwise the primary serves the read.

use crate::backend::Backend;

use super::Session;

impl Session {
    /// Whether the replica has the session's position, now or within the configured wait.
    ///
    /// `MASTER_GTID_WAIT` compares with `gtid_slave_pos`, which only replication moves: never ask a primary.
    pub(super) async fn wait_for_position(&mut self, backend: &mut Backend) -> bool {
        let seconds = self.settings().causal_wait.as_secs_f64();
        let position = self.position_in(backend.place.cluster);
        let sql = format!("SELECT MASTER_GTID_WAIT('{position}', {seconds:.3})");
        let Ok(reply) = backend.query(sql.as_bytes()).await else {
            backend.tainted = true;
            return false;
        };
        let reached = reply.first_value().as_deref() == Some(b"0");
        if reached {
            let position = self.position_in(backend.place.cluster);
            self.worker.core.cluster(backend.place.cluster).load(backend.place.server).learn(position);
        }
        reached
    }

    /// What the session has seen of a cluster.
    pub(super) fn position_in(&self, cluster: crate::place::ClusterIndex) -> &topology::GtidPosition {
        // There is one for each cluster, and at least one cluster.
        &self.positions[usize::from(cluster.0) % self.positions.len().max(1)]
    }
}
