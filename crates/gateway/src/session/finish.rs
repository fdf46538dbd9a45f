//! What a response means for the session: its state, its pins, and what becomes of the connection.

use mysql_wire::ResponseKind;
use sql::{Effects, Facts};

use super::absorb::is_untold;
use super::job::Job;
use super::response::Seen;
use super::{End, Pins, Session};
use crate::backend::Backend;

impl Session {
    /// Learns from a complete response and decides what becomes of the connection.
    pub(super) async fn finish(
        &mut self,
        job: &Job<'_>,
        mut backend: Backend,
        seen: &Seen,
    ) -> Result<(), End> {
        if let (Some(text), Some(prepared)) = (job.text, &seen.prepare_ok) {
            let closed = backend.statements.insert(text.serial, prepared.id, false);
            backend.close_statements(&closed);
        }
        // An error tells no changes; the next OK on the connection does, which must not be another session's.
        if seen.error.is_some() && may_have_changed(job.facts) && self.runs_stored_code(job.facts) {
            // A trigger or function may have changed the session before the statement failed, and nothing tells what:
            // the connection serves nobody else.
            backend.short_lived = true;
        }
        if self.pins.is_empty()
            && seen.error.is_some()
            && job.facts.access == sql::Access::Write
            && !job.facts.tables.is_empty()
        {
            // What it has written to tables without transactions stays, and no tracker tells (tried on MariaDB 10.11).
            let asked = Box::pin(self.ask_for_position(&mut backend)).await;
            asked.map_err(|error| End::StateLost(format!("while its position was read: {error}")))?;
        }
        let deprecates = backend.capabilities.contains(mysql_wire::Capabilities::DEPRECATE_EOF);
        let heard = seen.error.is_none() && (seen.last_rows.is_none() || deprecates);
        backend.untold = !heard && (backend.untold || (seen.error.is_some() && may_have_changed(job.facts)));
        if !seen.changes.is_empty() || (self.pins.is_empty() && is_untold(&backend, job.facts, seen)) {
            let absorbed = Box::pin(self.absorb(&mut backend, job, seen)).await;
            absorbed.map_err(|error| End::StateLost(format!("while its state was read: {error}")))?;
        }
        if let Some(prepared) = &job.prepared {
            let asked = job.opens_cursor || job.kind == ResponseKind::Fetch;
            self.note_execution(prepared, seen, asked);
        }
        self.update_transaction(job, seen);
        let runs = job.kind != ResponseKind::Prepare;
        super::last::note_list(&mut backend, job.facts, seen);
        if runs {
            if job.facts.effects.contains(Effects::SETS_USER_VARIABLE) {
                self.note_assignment(job, seen);
                self.note_variable_text(job.command.payload());
            }
            self.update_pins(job.facts, seen);
            self.note_last(job.facts, &backend, seen);
            if super::restore::changes_insert_id(job.facts, seen) || seen.error.is_some() {
                backend.insert_id = None;
            }
            self.note_sequence(job.facts, &backend);
            self.tell_control_plane(job.facts);
        }
        if runs && seen.error.is_none() && job.facts.effects.contains(Effects::CLOSES_CONNECTION) {
            // The server has closed it, and on a direct connection the client would see that.
            self.pins = Pins::NONE;
            drop(backend);
            return Err(End::Quit);
        }
        if !runs {
            self.note_preparation(job.facts, &backend, seen);
        }
        let keep = self.knows_something(job.facts, seen, runs);
        self.settle(backend, keep).await
    }

    /// Holds the connection, leases it, or gives it back.
    pub(super) async fn settle(&mut self, mut backend: Backend, knows_something: bool) -> Result<(), End> {
        if backend.tainted && !self.pins.is_empty() {
            return Err(End::StateLost(format!(
                "{}: the connection's state is not known any more",
                self.pins
            )));
        }
        self.shared.pins.store(self.pins.bits(), std::sync::atomic::Ordering::Relaxed);
        if !self.pins.is_empty() {
            self.shared.set_backend(Some((backend.place, backend.thread_id)));
            self.held = Some(backend);
            if self.keeps_variables_only() {
                // After a second without a statement it is asked to do without.
                self.shared.leasing.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            return Ok(());
        }
        let knows_something = knows_something
            || self.insert_id.on() == Some(backend.id)
            || self.sequence_on == Some(backend.id);
        if !knows_something {
            self.release(backend);
            return Ok(());
        }
        // Lease: unless somebody waits for a connection already, or another one is kept.
        if self.lease.is_none() && !backend.pool().has_waiters() {
            Box::pin(self.keep_lease(backend)).await;
        } else {
            match Box::pin(self.capture(&mut backend)).await {
                Ok(()) => self.release(backend),
                Err(_) => self.forget_diagnostics(),
            }
        }
        Ok(())
    }

    fn runs_stored_code(&self, facts: &Facts) -> bool {
        !facts.functions.is_empty() || self.worker.core.cluster(self.target).view().catalogue.has_stored_code
    }

    fn tell_control_plane(&mut self, facts: &Facts) {
        if facts.effects.contains(Effects::DDL) && names_a_database(facts) {
            self.entered = std::time::Instant::now();
            self.worker.core.cluster(self.target).count_database_change();
        }
        if facts.effects.intersects(Effects::ACCOUNT_DDL | Effects::ROUTINE_DDL | Effects::SETS_GLOBAL) {
            self.worker.core.cluster(self.target).control.refresh();
        }
        if facts.effects.intersects(Effects::SETS_GLOBAL | Effects::ACCOUNT_DDL) {
            // Connections opened before have the old defaults, and the privileges of their login.
            self.worker.core.pools.all().iter().for_each(|pool| pool.retire_all());
        }
    }

    /// Whether the session is in a virtual transaction: `autocommit=0`.
    pub(super) fn autocommit_off(&self) -> bool {
        self.state.autocommit().map_or(self.autocommit_off_by_default, |on| !on)
    }
}

/// Whether a failed statement may have changed the session before it failed.
fn may_have_changed(facts: &Facts) -> bool {
    facts.access != sql::Access::Read || !facts.functions.is_empty()
}

/// `ALTER DATABASE` and its kin: the session itself sees at once what it has changed.
fn names_a_database(facts: &Facts) -> bool {
    let text = facts.digest_text.to_ascii_lowercase();
    text.contains(" database") || text.contains(" schema")
}
