//! Connections that are kept only because they know something of the last statement.
//!
//! `LAST_INSERT_ID()` after an insert, warnings, `FOUND_ROWS()` after `SQL_CALC_FOUND_ROWS`: only the connection
//! that ran the statement can tell. The session keeps it while nobody else needs it. When somebody does, or after a
//! second, what it knows is asked for and kept here instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::backend::{Backend, ExchangeError, ascii};

use super::{InsertId, Session};

impl Session {
    /// Keeps a connection for what it knows; the one kept before is given back first.
    pub(super) async fn keep_lease(&mut self, backend: Backend) {
        self.return_lease().await;
        let pool = backend.pool().clone();
        self.lease = Some(backend);
        self.shared.leasing.store(true, Ordering::SeqCst);
        pool.add_lease(&self.shared);
        if pool.has_waiters() {
            // Who began to wait before the lease was known has asked in vain.
            self.return_lease().await;
        }
    }

    /// Asks the leased connection for what it knows and gives it back.
    pub(super) async fn return_lease(&mut self) {
        self.shared.leasing.store(false, Ordering::SeqCst);
        let Some(mut backend) = self.lease.take() else { return };
        match self.capture(&mut backend).await {
            Ok(()) => self.release(backend),
            Err(error) => {
                tracing::debug!(session = self.shared.id, %error, "lost a connection that was kept for its diagnostics");
                self.forget_diagnostics();
            }
        }
    }

    /// A leased connection whose last statement failed: what that has changed is heard before anything else is run on it.
    pub(super) async fn hear_lease(&mut self) {
        let Some(mut backend) = self.lease.take() else { return };
        let heard = match self.hear_late(&mut backend).await {
            Ok(()) if !backend.tainted => {
                self.lease = Some(backend);
                return;
            }
            Ok(()) => self.capture(&mut backend).await,
            Err(error) => Err(error),
        };
        self.shared.leasing.store(false, Ordering::SeqCst);
        if heard.is_err() {
            self.forget_diagnostics();
        }
    }

    /// Reads what the next user of the connection would overwrite.
    pub(super) async fn capture(&mut self, backend: &mut Backend) -> Result<(), ExchangeError> {
        // With a LIMIT of its own, so that the session's `sql_select_limit` does not matter.
        // In this order: a statement without tables leaves the list of warnings alone, while SHOW WARNINGS changes
        // FOUND_ROWS() (both tried on MariaDB 10.11).
        let reply = backend.query(b"SELECT LAST_INSERT_ID(), FOUND_ROWS() LIMIT 1").await?;
        let values = reply.first_row();
        let number = |i: usize| ascii(values.get(i)?.as_deref()?).parse::<u64>().ok();
        if self.insert_id.on() == Some(backend.id) {
            let Some(id) = number(0) else { return Err(ExchangeError::NoAnswer) };
            self.learn_insert_id(backend, id);
        }
        if self.last.found_on.is_some_and(|(_, id, _)| id == backend.id) {
            self.last.found_rows = number(1).unwrap_or(self.last.found_rows);
            self.last.found_on = None;
        }
        let lists = self.last.conditions_on.is_some_and(|(_, id, _)| id == backend.id);
        if lists && self.last.has_conditions {
            self.last.captured_warnings = Some(backend.query(b"SHOW WARNINGS").await?.bytes);
        }
        if backend.untold {
            self.hear_late(backend).await?;
        }
        Ok(())
    }

    /// The connection is gone, and with it what it knew; on a direct connection the client would be gone, too.
    pub(super) fn forget_diagnostics(&mut self) {
        let Some(id) = self.insert_id.on() else { return };
        if ![&self.lease, &self.held].into_iter().flatten().any(|known| known.id == id) {
            self.insert_id = InsertId::Known(0);
        }
    }

    /// Gives back a connection that nothing of the session is left on.
    pub(super) fn release(&mut self, mut backend: Backend) {
        self.shared.set_backend(None);
        self.lose_sequence(&backend);
        if backend.had_private {
            let closed = backend.statements.drop_private();
            backend.close_statements(&closed);
            backend.had_private = false;
        }
        if self.shared.is_under_fire()
            || backend.untold
            || backend.short_lived
            || backend.tainted
            || !backend.carry.is_empty()
        {
            return;
        }
        let known = self.known_pool(backend.place).filter(|pool| Arc::ptr_eq(pool, backend.pool()));
        match known {
            Some(pool) => backend.give_back_to(pool, self.clock),
            None => backend.give_back(self.clock),
        }
    }
}
