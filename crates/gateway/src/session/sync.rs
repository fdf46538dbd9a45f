//! Getting a connection for a command, in the session's state.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use mysql_wire::ServerError;
use sql::Effects;

use super::displaced::{is_about_the_database, needs_database};
use super::hold::within_epoch;
use super::job::Job;
use super::{Session, UNREACHABLE, error};
use crate::backend::{self, Backend, ExchangeError, OpenError, Opening};
use crate::place::Place;
use crate::pool::{Checkout, ServerPool, Want};
use crate::state::{Difference, StateSet, difference};

impl Session {
    /// The connection that the session holds, or one from the pool. `Ok(None)`: it could not be had, though nothing
    /// was sent, and another server may be tried; `Err` is for the client.
    pub(super) async fn obtain(
        &mut self,
        place: Place,
        job: &Job<'_>,
        on_replica: bool,
    ) -> Result<Option<Backend>, ServerError> {
        if let Some(held) = self.held.take() {
            self.shared.begin_epoch();
            self.shared.leasing.store(false, std::sync::atomic::Ordering::SeqCst);
            return self.use_held(held, job).await.map(Some);
        }
        if place.cluster != self.identity.cluster {
            self.admit_to(place.cluster).await?;
        }
        if self.lease.as_ref().is_some_and(|lease| lease.untold) {
            Box::pin(self.hear_lease()).await;
        }
        self.shared.begin_epoch();
        let own = self.take_own(place, job);
        let backend = match own {
            Some(backend) => Some(backend),
            None => self.take_from_pool(place, job, on_replica).await?,
        };
        let Some(mut backend) = backend else { return Ok(None) };
        if std::mem::take(&mut self.wants_fresh) {
            // A reset would not make it forget (tried on MariaDB 10.11): another one in its place.
            let opened = Box::pin(self.open(backend.into_slot(), place, on_replica)).await?;
            let Some(fresh) = opened else { return Ok(None) };
            backend = fresh;
        }
        let disturbed = !self.is_in_state(&mut backend) || job.facts.effects.intersects(LAZY);
        if disturbed {
            let shared = self.shared.clone();
            let brought = within_epoch(&shared, Box::pin(self.bring_up(&mut backend, job))).await;
            match brought.unwrap_or(Err(ExchangeError::EpochOver)) {
                Ok(()) => {}
                Err(ExchangeError::Refused(refused)) if on_replica => {
                    // It may not have the database yet, or the right to it; the primary is asked what is true.
                    tracing::debug!(session = self.shared.id, %refused, "a replica refused the session's state");
                    return Ok(None);
                }
                Err(ExchangeError::Refused(refused))
                    if place.cluster != self.base && is_about_the_database(&refused) =>
                {
                    drop(backend);
                    let known = self.is_to_be_displaced(place.cluster, job.facts);
                    if known || !self.note_lack(place.cluster, job.facts) {
                        return Err(self.lacks_database(place.cluster, Some(&refused)));
                    }
                    return Box::pin(self.obtain(place, job, on_replica)).await;
                }
                Err(ExchangeError::Refused(refused)) if refused.code == 1049 && self.entered_once => {
                    // Somebody has dropped the session's database. It goes on without one, as on a server.
                    drop(backend);
                    let mut state = (*self.state).clone();
                    state.database = None;
                    self.set_state(state);
                    return Ok(None);
                }
                Err(ExchangeError::Refused(refused)) => {
                    // The connection's state is not known any more.
                    drop(backend);
                    return Err(refused);
                }
                Err(lost) => {
                    tracing::debug!(session = self.shared.id, %lost, "a pooled connection broke while it was set up");
                    return Ok(None);
                }
            }
        }
        if self.may_restore(job.facts)
            && let Err(refusal) = Box::pin(self.restore(&mut backend, job, disturbed)).await
        {
            self.release(backend);
            return Err(refusal);
        }
        if self.carried.is_some() {
            let shared = self.shared.clone();
            let put = within_epoch(&shared, Box::pin(self.put_variables(&mut backend))).await;
            match put.unwrap_or(Err(ExchangeError::EpochOver)) {
                Ok(()) => {}
                Err(ExchangeError::Refused(refused)) => return Err(refused),
                Err(lost) => {
                    tracing::debug!(session = self.shared.id, %lost, "a pooled connection broke while it was set up");
                    return Ok(None);
                }
            }
        }
        Ok(Some(backend))
    }

    /// The connection that the session holds, for a command that may depend on what only some ask for.
    async fn use_held(&mut self, mut held: Backend, job: &Job<'_>) -> Result<Backend, ServerError> {
        if self.is_displaced(&held) && needs_database(job.facts) {
            let refusal = self.lacks_database(held.place.cluster, None);
            self.held = Some(held);
            return Err(refusal);
        }
        if self.may_restore(job.facts)
            && let Err(refusal) = Box::pin(self.restore(&mut held, job, false)).await
        {
            self.held = Some(held);
            return Err(refusal);
        }
        Ok(held)
    }

    /// The leased connection, if it is there; or the one that the last statement ran on, where that matters and
    /// nobody has used it since.
    fn take_own(&mut self, place: Place, job: &Job<'_>) -> Option<Backend> {
        if let Some(lease) = self.lease.take_if(|l| l.place == place) {
            self.shared.leasing.store(false, std::sync::atomic::Ordering::SeqCst);
            return Some(lease);
        }
        if job
            .facts
            .effects
            .intersects(Effects::USES_FOUND_ROWS | Effects::USES_ROW_COUNT | Effects::USES_DIAGNOSTICS)
        {
            let conditions = job.facts.effects.contains(Effects::USES_DIAGNOSTICS);
            let (at, id, uses) = if conditions { self.last.conditions_on? } else { self.last.ran_on? };
            if at == place {
                let backend = self.identity.pools.at(at).take_exact(id, uses)?;
                return backend.move_to(self.worker.index).ok();
            }
        }
        None
    }

    pub(super) async fn take_from_pool(
        &mut self,
        place: Place,
        job: &Job<'_>,
        on_replica: bool,
    ) -> Result<Option<Backend>, ServerError> {
        if self.known_pool(place).is_none() {
            let pool = self.identity.pools.at(place);
            self.known_pools.push((place, pool));
        }
        let Some(pool) = self.known_pool(place) else { return Ok(None) };
        let want = Want {
            capabilities: self.shape,
            state: &self.state,
            statement: job.prepared.as_ref().map(|p| p.statement.serial()),
        };
        let epoch = if on_replica { None } else { Some(self.epoch_of(place)) };
        let checkout = loop {
            let checkout = match pool.try_checkout(&want, self.worker.index) {
                Some(checkout) => checkout,
                None => Box::pin(self.wait_in_line(pool, &want, epoch.is_some())).await?,
            };
            match checkout {
                // Opened when another server was the primary: nothing is written through it.
                Checkout::Ready(backend) if epoch.is_some_and(|epoch| backend.epoch != epoch) => {
                    drop(backend);
                }
                other => break other,
            }
        };
        let backend = match checkout {
            Checkout::Ready(backend) => backend.move_to(self.worker.index).ok(),
            Checkout::Open(slot) => Box::pin(self.open(slot, place, on_replica)).await?,
        };
        Ok(backend.map(|mut backend| {
            backend.leads = epoch;
            backend
        }))
    }

    /// Waits for a connection; a kill ends the wait.
    /// `leads`: it is for the primary, of which there may be another one meanwhile.
    async fn wait_in_line(
        &self,
        pool: &Arc<ServerPool>,
        want: &Want<'_>,
        leads: bool,
    ) -> Result<Checkout, ServerError> {
        let mut checkout = std::pin::pin!(pool.checkout(want, self.worker.index));
        let interrupted = || error(1317, "70100", super::drive::INTERRUPTED.into());
        std::future::poll_fn(|cx| match checkout.as_mut().poll(cx) {
            Poll::Ready(Ok(checkout)) => Poll::Ready(Ok(checkout)),
            Poll::Ready(Err(timed_out)) => {
                Poll::Ready(Err(error(1040, "08004", format!("hadal: {timed_out}"))))
            }
            Poll::Pending if self.shared.must_stop(cx.waker()) || self.shared.is_interrupted() => {
                Poll::Ready(Err(interrupted()))
            }
            Poll::Pending if leads && self.shared.has_epoch_ended() => {
                let text =
                    "hadal: another primary took over while the statement waited for a connection; try again";
                Poll::Ready(Err(error(UNREACHABLE, "HY000", text.into())))
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// The pool of a server, if it was asked for before. Borrowed: counting references to what all workers share would
    /// have them wait for each other.
    pub(super) fn known_pool(&self, place: Place) -> Option<&Arc<ServerPool>> {
        self.known_pools.iter().find(|(known, _)| *known == place).map(|(_, pool)| pool)
    }

    async fn open(
        &mut self,
        slot: crate::pool::Slot,
        place: Place,
        on_replica: bool,
    ) -> Result<Option<Backend>, ServerError> {
        let entry = self.worker.core.cluster(place.cluster);
        let (address, epoch) = {
            let view = entry.view();
            let Some(server) = view.server(place.server) else { return Ok(None) };
            (server.address.clone(), view.epoch)
        };
        let opening = Opening {
            address: &address,
            secret: self.identity.pools.secret(),
            capabilities: self.shape,
            state: self.worker.core.new_connection_state.clone(),
            worker: self.worker.index,
            epoch,
        };
        let Some(opened) = within_epoch(&self.shared, backend::open(slot, opening)).await else {
            return Ok(None);
        };
        match opened {
            Ok(backend) => Ok(Some(backend)),
            Err(OpenError::Refused(refused)) if on_replica => {
                tracing::warn!(server = %address, user = %self.identity.user, error = %refused, "a replica refused a login");
                Ok(None)
            }
            Err(OpenError::Refused(refused)) if place.cluster != self.identity.cluster => {
                let text = format!(
                    "hadal: the statement goes to cluster {}, whose server {address} refused the login: {}",
                    entry.name, refused.message
                );
                Err(ServerError { message: text, ..refused })
            }
            Err(OpenError::Refused(refused)) => Err(refused),
            Err(OpenError::Unreachable(why)) => {
                entry.control.suspect(place.server);
                if on_replica {
                    return Ok(None);
                }
                let text = format!(
                    "hadal: cannot reach the primary {address}: {why}; nothing was executed, try again"
                );
                Err(error(UNREACHABLE, "HY000", text))
            }
        }
    }

    fn epoch_of(&self, place: Place) -> u64 {
        self.worker.core.cluster(place.cluster).view().epoch
    }

    fn is_in_state(&self, backend: &mut Backend) -> bool {
        // A server reads a database's collation, and the user's rights on it, when it is entered.
        if self.state.database.is_some() && self.has_old_view(backend) {
            return false;
        }
        if Arc::ptr_eq(&backend.state, &self.state) {
            return true;
        }
        let same = *backend.state == *self.state;
        if same {
            backend.state = self.state.clone();
        }
        same
    }

    /// Whether the database may have changed since the connection entered it.
    fn has_old_view(&self, backend: &Backend) -> bool {
        let changes = self.worker.core.cluster(backend.place.cluster).databases();
        backend.entered < self.entered || backend.databases != changes
    }

    /// Brings a connection into the session's state, and sets what only some statements ask for.
    async fn bring_up(&mut self, backend: &mut Backend, job: &Job<'_>) -> Result<(), ExchangeError> {
        if backend.untold {
            // Before an exchange of the gateway's own swallows it.
            self.hear_late(backend).await?;
        }
        let displaced = self.is_to_be_displaced(backend.place.cluster, job.facts);
        let state = self.state_on(backend, displaced);
        if !displaced && self.has_old_view(backend) && backend.state.database == state.database {
            self.enter_again(backend).await?;
        }
        self.bring_into(backend, &state).await?;
        let effects = job.facts.effects;
        if effects.contains(Effects::USES_TIMEOUT_VARIABLE) && !self.timeouts.is_empty() {
            for (name, value) in &self.timeouts {
                let value = String::from_utf8_lossy(value);
                backend.query(format!("SET {name}={value}").as_bytes()).await?;
            }
            // The server would soon close it under the next session's hands.
            backend.short_lived = true;
        }
        Ok(())
    }

    /// Enters the database that the connection is in already, for what may have changed about it since. A server takes
    /// the name of the database that a connection is in for no change at all, so it leaves by another (tried on 10.11).
    async fn enter_again(&self, backend: &mut Backend) -> Result<(), ExchangeError> {
        let Some(database) = self.state.database.clone() else { return Ok(()) };
        let seen = self.databases_now(backend);
        let charset = backend.state.charset.client.clone();
        enter_databases(backend, &[b"information_schema", &database], &charset).await?;
        (backend.entered, backend.databases) = seen;
        Ok(())
    }

    /// What a connection that enters a database now has seen of its changes: to be asked before it enters.
    fn databases_now(&self, backend: &Backend) -> (std::time::Instant, u64) {
        (std::time::Instant::now(), self.worker.core.cluster(backend.place.cluster).databases())
    }

    /// `charset` is the client's in the wanted state.
    async fn send_difference(
        &self,
        backend: &mut Backend,
        difference: &Difference,
        charset: &str,
    ) -> Result<(), ExchangeError> {
        if let Some(set) = &difference.set {
            backend.query(set).await?;
        }
        if let Some(database) = &difference.database {
            let seen = self.databases_now(backend);
            enter_databases(backend, &[database], charset).await?;
            (backend.entered, backend.databases) = seen;
        }
        Ok(())
    }

    /// Sends the difference between two states and waits until the server has taken it over: what follows must not
    /// run in another database, or under another `sql_mode`, than the client believes.
    pub(super) async fn bring_into(
        &self,
        backend: &mut Backend,
        to: &Arc<StateSet>,
    ) -> Result<(), ExchangeError> {
        let wanted = {
            let view = self.worker.core.cluster(backend.place.cluster).view();
            difference(&backend.state, to, &view.catalogue)
        };
        let Some(difference) = wanted else {
            return Err(ExchangeError::Refused(error(
                1046,
                "3D000",
                "hadal: no connection without a database".into(),
            )));
        };
        let sent = self.send_difference(backend, &difference, &to.charset.client).await;
        // Half of it may have been taken over.
        backend.tainted |= sent.is_err();
        sent?;
        backend.state = to.clone();
        Ok(())
    }
}

/// Enters databases, whose names servers have in UTF-8, on a connection whose client's character set is `charset`: that
/// is how a server reads the command.
async fn enter_databases(backend: &mut Backend, names: &[&[u8]], charset: &str) -> Result<(), ExchangeError> {
    let foreign = names.iter().any(|name| !name.is_ascii()) && !charset.starts_with("utf8mb");
    if !foreign {
        return backend.send_init_db(names).await;
    }
    backend.query(b"SET character_set_client=utf8mb4").await?;
    backend.send_init_db(names).await?;
    backend.query(format!("SET character_set_client={charset}").as_bytes()).await?;
    Ok(())
}

/// Effects for which a connection in the right state still needs something more. See also [`super::restore`].
const LAZY: Effects = Effects::USES_TIMEOUT_VARIABLE;
