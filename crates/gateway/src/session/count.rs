//! What a session's commands count for: statements under way on a server, and those that have ended.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Session;
use super::job::Job;
use super::response::Seen;
use crate::backend::Backend;
use crate::metrics::Outcome;
use crate::route::Decision;

impl Session {
    pub(super) fn count_begun(&self, backend: &Backend) {
        self.shared.set_backend(Some((backend.place, backend.thread_id)));
        let entry = self.worker.core.cluster(backend.place.cluster);
        entry.outstanding.begin(self.worker.index, backend.place.server);
    }

    pub(super) fn count_ended(&self, backend: &Backend) {
        let entry = self.worker.core.cluster(backend.place.cluster);
        entry.outstanding.end(self.worker.index, backend.place.server);
    }

    pub(super) fn count_done(
        &mut self,
        job: &Job<'_>,
        backend: &Backend,
        decision: &Decision,
        seen: &Seen,
        began: Instant,
    ) {
        self.clock = Instant::now();
        let outcome = if seen.error.is_some() { Outcome::Error } else { Outcome::Ok };
        self.worker.core.metrics.count(
            self.worker.index,
            backend.place,
            decision.on_replica,
            job.facts.access,
            outcome,
            &decision.why,
            self.clock.duration_since(began),
        );
        self.shared.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self, job: &Job<'_>, began: Instant) {
        self.worker.core.metrics.count_refused(self.worker.index, job.facts.access, began.elapsed());
    }
}
